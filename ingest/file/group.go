package file

import (
	"os/user"
	"slices"
	"strconv"
)

// trustedGroup says that the group of a file adds nobody to its owner and root:
// it is root's, the owner's own, or that of the system's syslog daemon.
func trustedGroup(st *stat) bool {
	if st.team == 0 {
		return true
	}
	if u, err := user.LookupId(strconv.FormatUint(uint64(st.owner), 10)); err == nil && u.Gid == strconv.FormatUint(uint64(st.team), 10) {
		return true
	}
	return slices.Contains([]string{"syslog", "adm"}, groupName(st.team))
}

func groupName(gid uint32) string {
	text := strconv.FormatUint(uint64(gid), 10)
	if g, err := user.LookupGroupId(text); err == nil {
		return g.Name
	}
	return text
}
