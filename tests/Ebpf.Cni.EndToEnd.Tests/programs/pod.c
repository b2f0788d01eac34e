/*
 * What the sandboxes of the runtime tests run; linked statically, the only file of their image. It says who it is over TCP (HTTP) and
 * UDP, of both families, and asks others when told to: then it is a process of a real container that opens the socket.
 *
 * usage: pod PORT
 * GET /ask/tcp|udp/ADDRESS/PORT: what is answered there, or "failed: " and why. Any other path, any datagram: "NAME container PEER".
 */
#define _GNU_SOURCE /* in6_pktinfo */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static char name[65];

/* IPv4 in its own notation, although the socket is of both families. */
static const char *text(const struct sockaddr_in6 *peer, char *to)
{
	if (IN6_IS_ADDR_V4MAPPED(&peer->sin6_addr))
		return inet_ntop(AF_INET, peer->sin6_addr.s6_addr + 12, to, INET6_ADDRSTRLEN);
	return inet_ntop(AF_INET6, &peer->sin6_addr, to, INET6_ADDRSTRLEN);
}

static int who(const struct sockaddr_in6 *peer, char *to, size_t size)
{
	char address[INET6_ADDRSTRLEN];

	return snprintf(to, size, "%s container %s", name, text(peer, address));
}

static int listening(int kind, int port)
{
	struct sockaddr_in6 all = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int s = socket(AF_INET6, kind, 0), no = 0, yes = 1;

	setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (kind == SOCK_DGRAM)
		setsockopt(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes, sizeof(yes));
	if (bind(s, (void *)&all, sizeof(all)) || (kind == SOCK_STREAM && listen(s, 256))) {
		perror("listen");
		exit(1);
	}
	return s;
}

/* Reads until the peer has said everything, or the end of an HTTP head where that is all there will be. */
static size_t receive(int s, char *to, size_t size, int head)
{
	size_t got = 0;
	ssize_t n;

	while (got < size - 1 && (n = recv(s, to + got, size - 1 - got, 0)) > 0) {
		got += n;
		to[got] = 0;
		if (head && strstr(to, "\r\n\r\n"))
			break;
		if (head < 0) /* a datagram is all */
			break;
	}
	to[got] = 0;
	return got;
}

static void ask(const char *protocol, const char *address, int port, char *to, size_t size)
{
	int v6 = strchr(address, ':') != NULL, udp = !strcmp(protocol, "udp");
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
	const char *question = udp ? "who?" : "GET / HTTP/1.0\r\n\r\n", *body;
	struct timeval patience = { .tv_sec = 5 };
	static char answer[8192];
	int s = socket(v6 ? AF_INET6 : AF_INET, udp ? SOCK_DGRAM : SOCK_STREAM, 0);

	inet_pton(AF_INET6, address, &six.sin6_addr);
	inet_pton(AF_INET, address, &four.sin_addr);
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	errno = 0;
	if (connect(s, v6 ? (void *)&six : (void *)&four, v6 ? sizeof(six) : sizeof(four)) || send(s, question, strlen(question), 0) < 0 ||
	    !receive(s, answer, sizeof(answer), udp ? -1 : 0)) {
		snprintf(to, size, "failed: %s", errno ? strerror(errno) : "no answer");
		return;
	}
	body = udp ? NULL : strstr(answer, "\r\n\r\n");
	snprintf(to, size, "%s", body ? body + 4 : answer);
}

static void serve(int s, const struct sockaddr_in6 *peer)
{
	static char request[8192], body[8192], answer[9000];
	char protocol[4], address[INET6_ADDRSTRLEN];
	int port, length;

	receive(s, request, sizeof(request), 1);
	if (sscanf(request, "GET /ask/%3[a-z]/%45[0-9a-f.:]/%d", protocol, address, &port) == 3)
		ask(protocol, address, port, body, sizeof(body));
	else
		who(peer, body, sizeof(body));
	length = snprintf(answer, sizeof(answer), "HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
	send(s, answer, length, 0);
}

/* From the address that was asked: of several, routing would choose one. */
static void answer(int s)
{
	struct sockaddr_in6 peer;
	char data[2048], about[256];
	struct iovec part = { data, sizeof(data) };
	struct msghdr message = { &peer, sizeof(peer), &part, 1, about, sizeof(about), 0 };
	struct cmsghdr *info;

	if (recvmsg(s, &message, 0) < 0)
		return;
	part.iov_len = who(&peer, data, sizeof(data));
	for (info = CMSG_FIRSTHDR(&message); info; info = CMSG_NXTHDR(&message, info))
		if (info->cmsg_type == IPV6_PKTINFO)
			((struct in6_pktinfo *)CMSG_DATA(info))->ipi6_ifindex = 0;
	sendmsg(s, &message, 0);
}

int main(int argc, char **argv)
{
	int port = argc > 1 ? atoi(argv[1]) : 8080;
	struct pollfd waiting[] = { { listening(SOCK_STREAM, port), POLLIN, 0 }, { listening(SOCK_DGRAM, port), POLLIN, 0 } };

	signal(SIGCHLD, SIG_IGN); /* nobody waits for the children */
	signal(SIGPIPE, SIG_IGN);
	gethostname(name, sizeof(name) - 1);
	for (;;) {
		struct sockaddr_in6 peer;
		socklen_t size = sizeof(peer);
		int s;

		if (poll(waiting, 2, -1) <= 0)
			continue;
		if (waiting[1].revents)
			answer(waiting[1].fd);
		if (!waiting[0].revents || (s = accept(waiting[0].fd, (void *)&peer, &size)) < 0)
			continue;
		if (fork() == 0) { /* so that it can ask itself */
			serve(s, &peer);
			exit(0);
		}
		close(s);
	}
}
