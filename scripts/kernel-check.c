/* For scripts/kernel-check.sh: loads every program of BPF objects by itself, in every configuration that the agent can set. */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FLAGS_ALL 0x7fffu	   /* enum ebc_config_flags */
#define REDIRECT_PEER 1u
#define SET_RETVAL 2u
#define COARSE_CLOCK 0x80u
#define REASON_BYTES 600   /* of a verifier's log the end, where it says why */
#define TABLE_ENTRIES 1024 /* sizes do not matter to the verifier, but to a small machine's memory */

static int print_end(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char *text;
	int length;

	if (level > LIBBPF_WARN || (length = vasprintf(&text, format, arguments)) < 0)
		return 0;
	printf("    %s", length > REASON_BYTES ? text + length - REASON_BYTES : text);
	free(text);
	return 0;
}

static int set_flags(struct bpf_object *object, unsigned int flags)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		const char *name = bpf_map__name(map);
		size_t size = 0;
		char *values;
		int result;

		if (!strstr(name, ".rodata")) {
			if (bpf_map__type(map) != BPF_MAP_TYPE_RINGBUF && bpf_map__max_entries(map) > TABLE_ENTRIES)
				bpf_map__set_max_entries(map, TABLE_ENTRIES);
			continue;
		}
		/* ebc_config is the only read-only variable, and flags its first member */
		if (!bpf_map__initial_value(map, &size) || size < sizeof(flags))
			return -1;
		values = calloc(1, size);
		memcpy(values, &flags, sizeof(flags));
		result = bpf_map__set_initial_value(map, values, size);
		free(values);
		return result;
	}
	return -1;
}

/* The kernel's count of verified instructions (0 before 5.16), or -1: refused, and libbpf has said why. */
static long load_one(const char *path, const char *name, unsigned int flags, int cgroup)
{
	struct bpf_object *object = bpf_object__open(path);
	struct bpf_prog_info info = {0};
	struct bpf_program *program;
	__u32 size = sizeof(info);
	long verified = -1;

	if (!object)
		return -1;
	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), name));
	program = bpf_object__find_program_by_name(object, name);
	if (!set_flags(object, flags) && !bpf_object__load(object) &&
	    !bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
		verified = info.verified_insns;
	if (verified >= 0 && (bpf_program__type(program) == BPF_PROG_TYPE_CGROUP_SOCK_ADDR ||
			      bpf_program__type(program) == BPF_PROG_TYPE_SOCK_OPS)) {
		struct bpf_link *link = bpf_program__attach_cgroup(program, cgroup);

		if (link)
			bpf_link__destroy(link);
		else
			verified = -1;
	}
	bpf_object__close(object);
	return verified;
}

/* The flags of helpers that this kernel lacks: the agent finds that out and does not set them. */
static unsigned int lacking(void)
{
	unsigned int flags = 0;

	if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_redirect_peer, NULL) != 1)
		flags |= REDIRECT_PEER;
	if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_FUNC_set_retval, NULL) != 1)
		flags |= SET_RETVAL;
	if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_ktime_get_coarse_ns, NULL) != 1)
		flags |= COARSE_CLOCK;
	return flags;
}

/* Nothing, everything, each switch alone, and all but each. */
static bool worth_a_try(unsigned int flags)
{
	return __builtin_popcount(flags) <= 1 || __builtin_popcount(FLAGS_ALL & ~flags) <= 1;
}

static int check(const char *path, const char *name, int cgroup)
{
	unsigned int all, refused = 0, without = lacking();
	long most = 0;

	for (all = 0; all <= FLAGS_ALL; all++) {
		unsigned int flags = all & ~without;
		long verified;

		if (!worth_a_try(all))
			continue;
		verified = load_one(path, name, flags, cgroup);
		if (verified < 0)
			printf("  %s REFUSED with flags %#x\n", name, flags), refused++;
		else if (verified > most)
			most = verified;
	}
	if (!refused && most)
		printf("  %-18s accepted, at most %ld instructions verified\n", name, most);
	else if (!refused)
		printf("  %-18s accepted\n", name);
	fflush(stdout);
	return refused != 0;
}

/* kernel-check <cgroup2 mount> <object>...: 0 if the kernel takes everything */
int main(int argc, char **argv)
{
	int refused = 0, checked = 0, i, cgroup;

	libbpf_set_print(print_end);
	cgroup = argc > 2 ? open(argv[1], O_RDONLY | O_DIRECTORY) : -1;
	if (cgroup < 0)
		return 2;
	printf("  bpf_redirect_peer: %s, bpf_set_retval: %s, bpf_ktime_get_coarse_ns: %s\n",
	       lacking() & REDIRECT_PEER ? "no" : "yes", lacking() & SET_RETVAL ? "no" : "yes",
	       lacking() & COARSE_CLOCK ? "no" : "yes");
	for (i = 2; i < argc; i++) {
		struct bpf_object *object = bpf_object__open(argv[i]);
		struct bpf_program *program;

		if (!object)
			return 2;
		bpf_object__for_each_program(program, object)
		{
			refused += check(argv[i], bpf_program__name(program), cgroup);
			checked++;
		}
		bpf_object__close(object);
	}
	printf("%d programs, %d refused\n", checked, refused);
	return refused || !checked;
}
