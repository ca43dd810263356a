package decide

import "slices"

// servicePorts are the ports on which a service is reached, as IANA registers
// them (Service Name and Transport Protocol Port Number Registry), with those on
// which it is usually run besides. A ban on spoofable evidence takes these where
// the jail names none.
var servicePorts = map[string][]Port{
	"sip":        {{"udp", 5060}, {"tcp", 5060}, {"udp", 5061}, {"tcp", 5061}},
	"iax2":       {{"udp", 4569}},
	"iax":        {{"udp", 4569}},
	"ami":        {{"tcp", 5038}},
	"dns":        {{"udp", 53}, {"tcp", 53}, {"tcp", 853}},
	"vpn":        {{"udp", 1194}, {"tcp", 1194}, {"udp", 500}, {"udp", 4500}},
	"ssh":        {{"tcp", 22}},
	"telnet":     {{"tcp", 23}},
	"ftp":        {{"tcp", 21}, {"tcp", 990}},
	"smtp":       {{"tcp", 25}, {"tcp", 465}, {"tcp", 587}},
	"imap":       {{"tcp", 143}, {"tcp", 993}},
	"pop3":       {{"tcp", 110}, {"tcp", 995}},
	"sieve":      {{"tcp", 4190}},
	"http":       {{"tcp", 80}, {"tcp", 443}, {"udp", 443}},
	"smb":        {{"tcp", 445}, {"tcp", 139}},
	"rdp":        {{"tcp", 3389}, {"udp", 3389}},
	"vnc":        {{"tcp", 5900}, {"tcp", 5901}},
	"ldap":       {{"tcp", 389}, {"tcp", 636}},
	"mysql":      {{"tcp", 3306}},
	"postgresql": {{"tcp", 5432}},
	"mongodb":    {{"tcp", 27017}},
	"proxy":      {{"tcp", 3128}},
	"xmpp":       {{"tcp", 5222}, {"tcp", 5223}, {"tcp", 5269}},
	"mumble":     {{"tcp", 64738}, {"udp", 64738}},
	"webmin":     {{"tcp", 10000}},
	"proxmox":    {{"tcp", 8006}},
}

// KnowsPorts says whether a ban on spoofable evidence can be limited to the ports of a
// service.
func (j *Jail) KnowsPorts(service string) bool {
	_, unknown := ports(j, []string{service})
	return unknown == ""
}

// ports are what a ban on spoofable evidence is limited to: those of the jail, or
// those of the services; unknown is a service whose ports are not known.
func ports(j *Jail, services []string) (out []Port, unknown string) {
	if len(j.Ports) > 0 {
		return j.Ports, ""
	}
	for _, s := range services {
		known, ok := servicePorts[s]
		if !ok {
			return nil, s
		}
		for _, p := range known {
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out, ""
}
