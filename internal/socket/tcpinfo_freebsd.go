package socket

const tcpInfo = 0x20 // TCP_INFO, netinet/tcp.h
