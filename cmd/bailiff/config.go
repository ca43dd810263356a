package main

import "bailiff/config"

// configuredSocket returns the socket of the daemon that runs on the
// configuration at path. Without a path it is that of the default
// configuration, or the default socket if the person who asks may not read
// that: the group of the socket need not read the configuration.
func configuredSocket(path string) (string, error) {
	socket, err := config.Socket(path)
	if err != nil && path == "" {
		return config.DefaultSocket, nil
	}
	return socket, err
}
