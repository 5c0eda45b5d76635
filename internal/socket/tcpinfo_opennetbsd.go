//go:build openbsd || netbsd

package socket

const tcpInfo = 0x9 // TCP_INFO, netinet/tcp.h
