"""What a keeper does, as machine code of x86_64; `start` says why.

A line is an instruction: its bytes, what a disassembler reads from them, a remark. A test compares
the first two. After the last one `start` puts its texts: `TEXTS`, then the script of the sweep.
"""

LISTING = """
4889e3         mov rbx, rsp                     the stack at entry: argc, argv..., NULL, envp...
488b7310       mov rsi, qword ptr [rbx + 0x10]  argv[1]: the launcher's pid in decimal, or 0
4531e4         xor r12d, r12d
ac             lodsb al, byte ptr [rsi]         digit:
2c30           sub al, 0x30
720c           jb 0x1b                          to counted, at the end of the text
0fb6c0         movzx eax, al
456be40a       imul r12d, r12d, 0xa
4101c4         add r12d, eax
ebef           jmp 0xa                          to digit
4585e4         test r12d, r12d                  counted:
0f84b8010000   je 0x1dc                         to job: nothing is to be kept
6aff           push -1
4989e6         mov r14, rsp                     a set of all signals
6a00           push 0
6a02           push 2
5f             pop rdi                          SIG_SETMASK
4c89f6         mov rsi, r14
31d2           xor edx, edx
6a08           push 8
415a           pop r10
6a0e           push 0xe
58             pop rax
0f05           syscall                          rt_sigprocmask(SIG_SETMASK, all, NULL, 8)
6a01           push 1
5f             pop rdi                          PR_SET_PDEATHSIG
6a0c           push 0xc
5e             pop rsi                          SIGUSR2
b89d000000     mov eax, 0x9d
0f05           syscall                          prctl(PR_SET_PDEATHSIG, SIGUSR2)
6a24           push 0x24
5f             pop rdi                          PR_SET_CHILD_SUBREAPER
6a01           push 1
5e             pop rsi
b89d000000     mov eax, 0x9d
0f05           syscall                          prctl(PR_SET_CHILD_SUBREAPER, 1)
6a27           push 0x27
58             pop rax
0f05           syscall                          getpid()
890424         mov dword ptr [rsp], eax         the report: this pid, and a status of wait(2)
6a04           push 4                           the job's cgroup, if descriptor 4 is one
6a00           push 0
6a00           push 0
6a00           push 0
6a00           push 0
6a00           push 0                           no set of pids, storage of threads, stack
6a11           push 0x11                        SIGCHLD
6a00           push 0
6a00           push 0
6a00           push 0                           no places for pids
6a02           push 2
58             pop rax
48c1e020       shl rax, 0x20
50             push rax                         CLONE_INTO_CGROUP
4889e7         mov rdi, rsp
6a58           push 0x58
5e             pop rsi
b8b3010000     mov eax, 0x1b3
0f05           syscall                          clone3(those, 88)
4883c458       add rsp, 0x58
85c0           test eax, eax
7905           jns 0x94                         to forked
6a39           push 0x39
58             pop rax
0f05           syscall                          fork()
4189c5         mov r13d, eax                    forked: the leader; 0 once it has ended
85c0           test eax, eax
0f8493000000   je 0x132                         to child
eb12           jmp 0xb3                         to reap
4c89f7         mov rdi, r14                     wait:
31f6           xor esi, esi
31d2           xor edx, edx
6a08           push 8
415a           pop r10
b880000000     mov eax, 0x80
0f05           syscall                          rt_sigtimedwait(all, NULL, NULL, 8)
6aff           push -1                          reap:
5f             pop rdi
488d742404     lea rsi, [rsp + 4]
6a01           push 1
5a             pop rdx                          WNOHANG
4531d2         xor r10d, r10d
6a3d           push 0x3d
58             pop rax
0f05           syscall                          wait4(-1, &status, WNOHANG, NULL)
85c0           test eax, eax
785a           js 0x124                         to done: no child is left
7418           je 0xe4                          to look: none has ended
4439e8         cmp eax, r13d
75e2           jne 0xb3                         to reap: an orphan
4531ed         xor r13d, r13d
6a03           push 3
5f             pop rdi
4889e6         mov rsi, rsp
6a08           push 8
5a             pop rdx
6a01           push 1
58             pop rax
0f05           syscall                          write(3, report, 8)
ebcf           jmp 0xb3                         to reap
6a6e           push 0x6e                        look:
58             pop rax
0f05           syscall                          getppid()
4439e0         cmp eax, r12d
74b3           je 0xa1                          to wait: the launcher lives
4489ef         mov edi, r13d
f7df           neg edi
7408           je 0xfd                          to sweep: the leader has ended
6a09           push 9
5e             pop rsi
6a3e           push 0x3e
58             pop rax
0f05           syscall                          kill(-leader, SIGKILL)
488d3d3a010000 lea rdi, [rip + 0x13a]           sweep: "/bin/sh"
488d353b010000 lea rsi, [rip + 0x13b]           "-c"
488d1537010000 lea rdx, [rip + 0x137]           the script
6a00           push 0
ff7308         push qword ptr [rbx + 8]         argv[0], its name
52             push rdx
56             push rsi
57             push rdi
4889e6         mov rsi, rsp
31d2           xor edx, edx
6a3b           push 0x3b
58             pop rax
0f05           syscall                          execve("/bin/sh", those four, NULL)
31ff           xor edi, edi                     done:
4585ed         test r13d, r13d
400f95c7       setne dil
6a3c           push 0x3c
58             pop rax
0f05           syscall                          exit(1 if there never was a leader else 0)
6a02           push 2                           child:
5f             pop rdi
6a00           push 0
4889e6         mov rsi, rsp                     a set of no signals
31d2           xor edx, edx
6a08           push 8
415a           pop r10
6a0e           push 0xe
58             pop rax
0f05           syscall                          rt_sigprocmask(SIG_SETMASK, none, NULL, 8)
6a03           push 3
5f             pop rdi
6a03           push 3
58             pop rax
0f05           syscall                          close(3)
6a04           push 4
5f             pop rdi
6a03           push 3
58             pop rax
0f05           syscall                          close(4)
488b7318       mov rsi, qword ptr [rbx + 0x18]  argv[2]: how the job runs; "" as this process
ac             lodsb al, byte ptr [rsi]
4189c4         mov r12d, eax
84c0           test al, al
747b           je 0x1dc                         to job
4889f7         mov rdi, rsi                     the mask is decoded where it stands
4889f2         mov rdx, rsi
ac             lodsb al, byte ptr [rsi]         core: four bits of the mask
84c0           test al, al
740e           je 0x17a                         to placed, at the end of the text
89c1           mov ecx, eax
83e10f         and ecx, 0xf
ac             lodsb al, byte ptr [rsi]         the next four
c0e004         shl al, 4
08c8           or al, cl
aa             stosb byte ptr [rdi], al
ebed           jmp 0x167                        to core
4889fe         mov rsi, rdi                     placed:
4829d6         sub rsi, rdx
7409           je 0x18b                         to manners: no mask
31ff           xor edi, edi
b8cb000000     mov eax, 0xcb
0f05           syscall                          sched_setaffinity(0, size, mask)
4183e401       and r12d, 1                      manners:
744b           je 0x1dc                         to job: it is no guest
31ff           xor edi, edi                     PRIO_PROCESS
31f6           xor esi, esi
6a13           push 0x13
5a             pop rdx
b88d000000     mov eax, 0x8d
0f05           syscall                          setpriority(PRIO_PROCESS, 0, 19)
31ff           xor edi, edi
6a05           push 5
5e             pop rsi                          SCHED_IDLE
6a00           push 0
4889e2         mov rdx, rsp
b890000000     mov eax, 0x90
0f05           syscall                          sched_setscheduler(0, SCHED_IDLE, &0)
6a9c           push -0x64
5f             pop rdi                          AT_FDCWD
488d3567000000 lea rsi, [rip + 0x67]            "/proc/self/oom_score_adj"
6a01           push 1
5a             pop rdx                          O_WRONLY
b801010000     mov eax, 0x101
0f05           syscall                          openat(AT_FDCWD, path, O_WRONLY)
50             push rax
89c7           mov edi, eax
488d356c000000 lea rsi, [rip + 0x6c]            "1000"
6a04           push 4
5a             pop rdx
6a01           push 1
58             pop rax
0f05           syscall                          write(file, "1000", 4)
5f             pop rdi
6a03           push 3
58             pop rax
0f05           syscall                          close(file)
6a01           push 1                           job:
5f             pop rdi                          PR_SET_PDEATHSIG
6a09           push 9
5e             pop rsi                          SIGKILL
b89d000000     mov eax, 0x9d
0f05           syscall                          prctl(PR_SET_PDEATHSIG, SIGKILL)
6a70           push 0x70
58             pop rax
0f05           syscall                          setsid()
488b7b20       mov rdi, qword ptr [rbx + 0x20]
6a50           push 0x50
58             pop rax
0f05           syscall                          chdir(argv[3])
85c0           test eax, eax
7515           jne 0x210                        to fail
488b7b28       mov rdi, qword ptr [rbx + 0x28]
488d7328       lea rsi, [rbx + 0x28]
488b03         mov rax, qword ptr [rbx]         argc
488d54c310     lea rdx, [rbx + rax*8 + 0x10]
6a3b           push 0x3b
58             pop rax
0f05           syscall                          execve(argv[4], &argv[4], envp)
31ff           xor edi, edi                     fail:
83f8fe         cmp eax, -2                      ENOENT?
400f94c7       sete dil
83c77e         add edi, 0x7e
6a3c           push 0x3c
58             pop rax
0f05           syscall                          exit(127 if ENOENT else 126)
"""
