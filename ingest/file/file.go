// Package file follows log files.
//
// It names files by glob and reads what is appended to them, through every way
// in which logs are rotated, and goes on after a restart where it stopped.
package file
