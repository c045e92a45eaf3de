"""What a keeper does, as machine code of aarch64; `start` says why.

A line is an instruction: its bytes, what a disassembler reads from them, a remark. A test compares
the first two. After the last one `start` puts its texts: `TEXTS`, then the script of the sweep.
"""

LISTING = """
f3030091       mov x19, sp                      the stack at entry: argc, argv..., NULL, envp...
610a40f9       ldr x1, [x19, #0x10]             argv[1]: the launcher's pid in decimal, or 0
f4031f2a       mov w20, wzr
42018052       mov w2, #0xa
20144038       ldrb w0, [x1], #1                digit:
00c00071       subs w0, w0, #0x30
63000054       b.lo #0x24                       to counted, at the end of the text
9402021b       madd w20, w20, w2, w0
fcffff17       b #0x10                          to digit
f4120034       cbz w20, #0x280                  counted: to job: nothing is to be kept
ff4300d1       sub sp, sp, #0x10
00008092       mov x0, #-1
e00700f9       str x0, [sp, #8]                 a set of all signals
400080d2       mov x0, #2                       SIG_SETMASK
e1230091       add x1, sp, #8
e2031faa       mov x2, xzr
030180d2       mov x3, #8
e81080d2       mov x8, #0x87
010000d4       svc #0                           rt_sigprocmask(SIG_SETMASK, all, NULL, 8)
200080d2       mov x0, #1                       PR_SET_PDEATHSIG
810180d2       mov x1, #0xc                     SIGUSR2
e81480d2       mov x8, #0xa7
010000d4       svc #0                           prctl(PR_SET_PDEATHSIG, SIGUSR2)
800480d2       mov x0, #0x24                    PR_SET_CHILD_SUBREAPER
210080d2       mov x1, #1
e81480d2       mov x8, #0xa7
010000d4       svc #0                           prctl(PR_SET_CHILD_SUBREAPER, 1)
881580d2       mov x8, #0xac
010000d4       svc #0                           getpid()
e00300b9       str w0, [sp]                     the report: this pid, and a status of wait(2)
ff8301d1       sub sp, sp, #0x60
4000c0d2       mov x0, #0x200000000             CLONE_INTO_CGROUP
e07f00a9       stp x0, xzr, [sp]                no places for pids
ff7f01a9       stp xzr, xzr, [sp, #0x10]
200280d2       mov x0, #0x11                    SIGCHLD
e07f02a9       stp x0, xzr, [sp, #0x20]
ff7f03a9       stp xzr, xzr, [sp, #0x30]        no stack, storage of threads, set of pids
ff7f04a9       stp xzr, xzr, [sp, #0x40]
800080d2       mov x0, #4                       the job's cgroup, if descriptor 4 is one
e02b00f9       str x0, [sp, #0x50]
e0030091       mov x0, sp
010b80d2       mov x1, #0x58
683680d2       mov x8, #0x1b3
010000d4       svc #0                           clone3(those, 88)
ff830191       add sp, sp, #0x60
0001f836       tbz w0, #0x1f, #0xd4             to forked
200280d2       mov x0, #0x11                    SIGCHLD
e1031faa       mov x1, xzr
e2031faa       mov x2, xzr
e3031faa       mov x3, xzr
e4031faa       mov x4, xzr
881b80d2       mov x8, #0xdc
010000d4       svc #0                           clone(SIGCHLD, NULL, NULL, NULL, NULL)
f503002a       mov w21, w0                      forked: the leader; 0 once it has ended
75060034       cbz w21, #0x1a4                  to child
07000014       b #0xf8                          to reap
e0230091       add x0, sp, #8                   wait:
e1031faa       mov x1, xzr
e2031faa       mov x2, xzr
030180d2       mov x3, #8
281180d2       mov x8, #0x89
010000d4       svc #0                           rt_sigtimedwait(all, NULL, NULL, 8)
00008092       mov x0, #-1                      reap:
e1130091       add x1, sp, #4
220080d2       mov x2, #1                       WNOHANG
e3031faa       mov x3, xzr
882080d2       mov x8, #0x104
010000d4       svc #0                           wait4(-1, &status, WNOHANG, NULL)
1f000071       cmp w0, #0
0b040054       b.lt #0x194                      to done: no child is left
40010054       b.eq #0x140                      to look: none has ended
1f00156b       cmp w0, w21
c1feff54       b.ne #0xf8                       to reap: an orphan
f5031f2a       mov w21, wzr
600080d2       mov x0, #3
e1030091       mov x1, sp
020180d2       mov x2, #8
080880d2       mov x8, #0x40
010000d4       svc #0                           write(3, report, 8)
efffff17       b #0xf8                          to reap
a81580d2       mov x8, #0xad                    look:
010000d4       svc #0                           getppid()
1f00146b       cmp w0, w20
a0fcff54       b.eq #0xe0                       to wait: the launcher lives
b5000034       cbz w21, #0x164                  to sweep: the leader has ended
e003154b       neg w0, w21
210180d2       mov x1, #9
281080d2       mov x8, #0x81
010000d4       svc #0                           kill(-leader, SIGKILL)
800c0030       adr x0, #0x2f5                   sweep: "/bin/sh"
a10c0030       adr x1, #0x2fd                   "-c"
a20c0010       adr x2, #0x300                   the script
630640f9       ldr x3, [x19, #8]                argv[0], its name
ffc300d1       sub sp, sp, #0x30
e00700a9       stp x0, x1, [sp]
e20f01a9       stp x2, x3, [sp, #0x10]
ff1300f9       str xzr, [sp, #0x20]
e1030091       mov x1, sp
e2031faa       mov x2, xzr
a81b80d2       mov x8, #0xdd
010000d4       svc #0                           execve("/bin/sh", those four, NULL)
bf020071       cmp w21, #0                      done:
e0079f1a       cset w0, ne
a80b80d2       mov x8, #0x5d
010000d4       svc #0                           exit(1 if there never was a leader else 0)
ff0700f9       str xzr, [sp, #8]                child: a set of no signals
400080d2       mov x0, #2
e1230091       add x1, sp, #8
e2031faa       mov x2, xzr
030180d2       mov x3, #8
e81080d2       mov x8, #0x87
010000d4       svc #0                           rt_sigprocmask(SIG_SETMASK, none, NULL, 8)
600080d2       mov x0, #3
280780d2       mov x8, #0x39
010000d4       svc #0                           close(3)
800080d2       mov x0, #4
280780d2       mov x8, #0x39
010000d4       svc #0                           close(4)
610e40f9       ldr x1, [x19, #0x18]             argv[2]: how the job runs; "" as this process
34144038       ldrb w20, [x1], #1
14050034       cbz w20, #0x280                  to job
e20301aa       mov x2, x1                       the mask is decoded where it stands
e40301aa       mov x4, x1
20144038       ldrb w0, [x1], #1                core: four bits of the mask
c0000034       cbz w0, #0x208                   to placed, at the end of the text
000c0012       and w0, w0, #0xf
23144038       ldrb w3, [x1], #1                the next four
600c1c33       bfi w0, w3, #4, #4
80140038       strb w0, [x4], #1
faffff17       b #0x1ec                         to core
810002eb       subs x1, x4, x2                  placed:
80000054       b.eq #0x21c                      to manners: no mask
e0031faa       mov x0, xzr
480f80d2       mov x8, #0x7a
010000d4       svc #0                           sched_setaffinity(0, size, mask)
34030036       tbz w20, #0, #0x280              manners: to job: it is no guest
e0031faa       mov x0, xzr                      PRIO_PROCESS
e1031faa       mov x1, xzr
620280d2       mov x2, #0x13
881180d2       mov x8, #0x8c
010000d4       svc #0                           setpriority(PRIO_PROCESS, 0, 19)
e0031faa       mov x0, xzr
a10080d2       mov x1, #5                       SCHED_IDLE
ff0700f9       str xzr, [sp, #8]
e2230091       add x2, sp, #8
e80e80d2       mov x8, #0x77
010000d4       svc #0                           sched_setscheduler(0, SCHED_IDLE, &0)
600c8092       mov x0, #-0x64                   AT_FDCWD
41040010       adr x1, #0x2d8                   "/proc/self/oom_score_adj"
220080d2       mov x2, #1                       O_WRONLY
080780d2       mov x8, #0x38
010000d4       svc #0                           openat(AT_FDCWD, path, O_WRONLY)
f403002a       mov w20, w0
61040030       adr x1, #0x2f1                   "1000"
820080d2       mov x2, #4
080880d2       mov x8, #0x40
010000d4       svc #0                           write(file, "1000", 4)
e003142a       mov w0, w20
280780d2       mov x8, #0x39
010000d4       svc #0                           close(file)
200080d2       mov x0, #1                       job: PR_SET_PDEATHSIG
210180d2       mov x1, #9                       SIGKILL
e81480d2       mov x8, #0xa7
010000d4       svc #0                           prctl(PR_SET_PDEATHSIG, SIGKILL)
a81380d2       mov x8, #0x9d
010000d4       svc #0                           setsid()
601240f9       ldr x0, [x19, #0x20]
280680d2       mov x8, #0x31
010000d4       svc #0                           chdir(argv[3])
00010035       cbnz w0, #0x2c4                  to fail
601640f9       ldr x0, [x19, #0x28]
61a20091       add x1, x19, #0x28
620240f9       ldr x2, [x19]                    argc
620e028b       add x2, x19, x2, lsl #3
42400091       add x2, x2, #0x10
a81b80d2       mov x8, #0xdd
010000d4       svc #0                           execve(argv[4], &argv[4], envp)
1f080031       cmn w0, #2                       fail: ENOENT?
e0179f1a       cset w0, eq
00f80111       add w0, w0, #0x7e
a80b80d2       mov x8, #0x5d
010000d4       svc #0                           exit(127 if ENOENT else 126)
"""
