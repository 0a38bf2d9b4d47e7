package knet

import "strconv"

// Errno is an error number of Linux, as the shell got it from the kernel. The core
// knows those that mean something to it; their values are the same on all
// architectures that Go runs on but MIPS.
type Errno int

// The errors that are told apart.
const (
	EPERM        Errno = 1
	EINTR        Errno = 4
	EAGAIN       Errno = 11
	ENOMEM       Errno = 12
	EINVAL       Errno = 22
	ENONET       Errno = 64
	EMSGSIZE     Errno = 90
	ENETDOWN     Errno = 100
	ENETUNREACH  Errno = 101
	ECONNABORTED Errno = 103
	ENOBUFS      Errno = 105
	ECONNREFUSED Errno = 111
	EHOSTDOWN    Errno = 112
	EHOSTUNREACH Errno = 113
)

// String is the C library's text.
func (n Errno) String() string {
	switch n {
	case EPERM:
		return "Operation not permitted"
	case EINTR:
		return "Interrupted system call"
	case EAGAIN:
		return "Resource temporarily unavailable"
	case ENOMEM:
		return "Cannot allocate memory"
	case EINVAL:
		return "Invalid argument"
	case ENONET:
		return "Machine is not on the network"
	case EMSGSIZE:
		return "Message too long"
	case ENETDOWN:
		return "Network is down"
	case ENETUNREACH:
		return "Network is unreachable"
	case ECONNABORTED:
		return "Software caused connection abort"
	case ENOBUFS:
		return "No buffer space available"
	case ECONNREFUSED:
		return "Connection refused"
	case EHOSTDOWN:
		return "Host is down"
	case EHOSTUNREACH:
		return "No route to host"
	}
	return "error " + strconv.Itoa(int(n))
}

// full tells that the kernel had no room and the same may work a moment later.
func (n Errno) full() bool { return n == EAGAIN || n == ENOBUFS || n == ENOMEM || n == EINTR }

// gone tells, of an ICMP error, that nobody is at the other end (transport_udp.c:
// read_errs_from_sock).
func (n Errno) gone() bool {
	switch n {
	case ECONNREFUSED, ECONNABORTED, ENONET, ENETUNREACH, EHOSTUNREACH, EHOSTDOWN, ENETDOWN:
		return true
	}
	return false
}
