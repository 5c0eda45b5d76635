package socket

const tcpInfo = 0x106 // TCP_CONNECTION_INFO, netinet/tcp.h
