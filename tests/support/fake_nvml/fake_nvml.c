/*
 * A stand-in for NVIDIA's management library, libnvidia-ml.so.1.
 *
 * pynvml loads it the ordinary way, through LD_LIBRARY_PATH, so that what is tested is the real
 * path: pynvml, ctypes and the C structures. It remembers only how often it was opened, and on
 * which load of the driver. Every query reads the file named by FAKE_NVML_STATE again, so a test
 * changes the machine by replacing that file.
 *
 * The state file has one item a line; unknown lines and lines beginning with # are skipped:
 *
 *   init    <result>                           what nvmlInit answers from now on
 *   query   <result>                           what every other call answers from now on
 *   hang    <0|1>                              1: calls do not return before this is 0 again
 *   crash   <0|1>                              1: the library takes its process down
 *   loaded  <times>                            how often the driver was loaded: whoever opened NVML
 *                                              before the last time gets UNKNOWN until it opens
 *                                              it anew
 *   gpu     <uuid> <result> <total> <reserved> <other> <name to the end of the line>
 *   mig     <gpu index> <0|1>                  a GPU that can be cut into instances, and whether it is
 *   compute <gpu index> <mode>                 its compute mode, nvmlComputeMode_t; else the default
 *   lacks   <gpu index> <processes|memory>     what it does not support telling
 *   process <gpu index> <pid> <used or -1> <compute|graphics>
 *   busy    <gpu index> <percent>              how busy the GPU is; without it, it does not tell
 *   busy_by <gpu index> <pid> <percent>        how busy a process keeps it; without any, likewise
 *
 * Results are codes of nvmlReturn_t, 0 for success. Memory is in MiB. `other` is memory in use
 * beside that of the listed processes; used -1 means that the driver does not tell. GPUs are
 * numbered in the order of their lines. Without a state file no driver is loaded.
 *
 * Compiled with -DOLD_DRIVER it lacks the calls that older drivers lack: memory in its second
 * version, process lists in their third, and instances of a GPU.
 *
 * Names, structures and codes are those of the NVML API reference as pynvml declares them.
 */
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7,
       DRIVER_NOT_LOADED = 9, UNKNOWN = 999, NOT_FOUND = 6 };
enum { MAX_GPUS = 16, MAX_PROCESSES = 256 };

typedef int nvmlReturn_t;
typedef unsigned long long bytes_t;
typedef struct { int index; } device_t;
typedef device_t *nvmlDevice_t;
typedef struct { bytes_t total, free, used; } nvmlMemory_t;
typedef struct { unsigned version; bytes_t total, reserved, free, used; } nvmlMemory_v2_t;
typedef struct { unsigned pid; bytes_t used; unsigned gpu_instance, compute_instance; }
    nvmlProcessInfo_t;

typedef struct {
    char uuid[96], name[96];
    nvmlReturn_t result;
    bytes_t total_mib, reserved_mib, other_mib;
    int has_mig;
    unsigned mig, compute_mode;
    int lacks_processes, lacks_memory, tells_busy;
    unsigned busy;
} gpu_t;

typedef struct {
    int gpu;
    unsigned pid;
    long long used_mib;
    char kind[16];
} process_t;

typedef struct { unsigned gpu, memory; } nvmlUtilization_t;
typedef struct { unsigned pid; unsigned long long at; unsigned sm, memory, encoder, decoder; }
    nvmlProcessUtilizationSample_t;
typedef struct { int gpu; unsigned pid, busy; } use_t;

typedef struct {
    nvmlReturn_t init, query;
    int loaded, gpus, processes, hang, crash;
    gpu_t gpu[MAX_GPUS];
    process_t process[MAX_PROCESSES];
    int uses;
    use_t use[MAX_PROCESSES];
} state_t;

static state_t state;
static int times_open, loaded_when_opened;

static void read_line(const char *line) {
    gpu_t gpu = {0};
    process_t process = {0};
    use_t use;
    unsigned index, value;
    char what[16];
    if (sscanf(line, "lacks %u %15s", &index, what) == 2 && index < MAX_GPUS) {
        state.gpu[index].lacks_processes |= !strcmp(what, "processes");
        state.gpu[index].lacks_memory |= !strcmp(what, "memory");
        return;
    }
    if (sscanf(line, "mig %u %u", &index, &value) == 2 && index < MAX_GPUS) {
        state.gpu[index].has_mig = 1;
        state.gpu[index].mig = value;
        return;
    }
    if (sscanf(line, "compute %u %u", &index, &value) == 2 && index < MAX_GPUS) {
        state.gpu[index].compute_mode = value;
        return;
    }
    if (sscanf(line, "busy %u %u", &index, &value) == 2 && index < MAX_GPUS) {
        state.gpu[index].tells_busy = 1;
        state.gpu[index].busy = value;
        return;
    }
    if (state.uses < MAX_PROCESSES
        && sscanf(line, "busy_by %d %u %u", &use.gpu, &use.pid, &use.busy) == 3) {
        state.use[state.uses++] = use;
        return;
    }
    if (sscanf(line, "init %d", &state.init) == 1 || sscanf(line, "query %d", &state.query) == 1
        || sscanf(line, "loaded %d", &state.loaded) == 1
        || sscanf(line, "hang %d", &state.hang) == 1
        || sscanf(line, "crash %d", &state.crash) == 1)
        return;
    if (state.gpus < MAX_GPUS
        && sscanf(line, "gpu %95s %d %llu %llu %llu %95[^\n]", gpu.uuid, &gpu.result,
                  &gpu.total_mib, &gpu.reserved_mib, &gpu.other_mib, gpu.name) == 6)
        state.gpu[state.gpus++] = gpu;
    else if (state.processes < MAX_PROCESSES
             && sscanf(line, "process %d %u %lld %15s", &process.gpu, &process.pid,
                       &process.used_mib, process.kind) == 4)
        state.process[state.processes++] = process;
}

static void read_file(void) {
    char line[512];
    const char *path = getenv("FAKE_NVML_STATE");
    FILE *file = path ? fopen(path, "r") : NULL;
    memset(&state, 0, sizeof state);
    if (!file) {
        state.init = state.query = DRIVER_NOT_LOADED;
        return;
    }
    while (fgets(line, sizeof line, file))
        read_line(line);
    fclose(file);
}

static void read_state(void) {
    for (read_file(); state.hang; read_file())
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    if (state.crash)
        abort();
}

nvmlReturn_t nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    read_state();
    if (state.init == SUCCESS && times_open++ == 0)
        loaded_when_opened = state.loaded;
    return state.init;
}

nvmlReturn_t nvmlShutdown(void) {
    if (!times_open)
        return UNINITIALIZED;
    times_open--;
    return SUCCESS;
}

const char *nvmlErrorString(nvmlReturn_t result) {
    static char text[40];
    snprintf(text, sizeof text, "fake NVML error %d", result);
    return text;
}

/* Every query begins here: is the library open, and does the driver still answer? */
static nvmlReturn_t begin(void) {
    read_state();
    if (!times_open)
        return UNINITIALIZED;
    return loaded_when_opened == state.loaded ? state.query : UNKNOWN;
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *count) {
    nvmlReturn_t result = begin();
    *count = (unsigned)state.gpus;
    return result;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device) {
    static device_t devices[MAX_GPUS];
    nvmlReturn_t result = begin();
    if (result != SUCCESS)
        return result;
    if (index >= (unsigned)state.gpus)
        return INVALID_ARGUMENT;
    devices[index].index = (int)index;
    *device = &devices[index];
    return state.gpu[index].result;
}

/* Every query about one GPU begins here. */
static nvmlReturn_t begin_gpu(nvmlDevice_t device, gpu_t **gpu) {
    nvmlReturn_t result = begin();
    if (result != SUCCESS)
        return result;
    if (!device || device->index >= state.gpus)
        return INVALID_ARGUMENT;
    *gpu = &state.gpu[device->index];
    return (*gpu)->result;
}

static nvmlReturn_t copy_text(char *out, unsigned size, const char *text) {
    if (strlen(text) >= size)
        return INSUFFICIENT_SIZE;
    strcpy(out, text);
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned size) {
    gpu_t *gpu;
    nvmlReturn_t result = begin_gpu(device, &gpu);
    return result == SUCCESS ? copy_text(uuid, size, gpu->uuid) : result;
}

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned size) {
    gpu_t *gpu;
    nvmlReturn_t result = begin_gpu(device, &gpu);
    return result == SUCCESS ? copy_text(name, size, gpu->name) : result;
}

nvmlReturn_t nvmlDeviceGetComputeMode(nvmlDevice_t device, unsigned *mode) {
    gpu_t *gpu;
    nvmlReturn_t result = begin_gpu(device, &gpu);
    if (result == SUCCESS)
        *mode = gpu->compute_mode;
    return result;
}

static bytes_t used_mib(int index) {
    bytes_t sum = state.gpu[index].other_mib;
    for (int i = 0; i < state.processes; i++)
        if (state.process[i].gpu == index && state.process[i].used_mib > 0)
            sum += (bytes_t)state.process[i].used_mib;
    return sum;
}

static bytes_t free_mib(int index) {
    const gpu_t *gpu = &state.gpu[index];
    bytes_t taken = used_mib(index) + gpu->reserved_mib;
    return taken < gpu->total_mib ? gpu->total_mib - taken : 0;
}

/* In the first version `used` holds what the driver has reserved, too. */
nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory) {
    gpu_t *gpu;
    nvmlReturn_t result = begin_gpu(device, &gpu);
    if (result != SUCCESS)
        return result;
    if (gpu->lacks_memory)
        return NOT_SUPPORTED;
    memory->total = gpu->total_mib << 20;
    memory->free = free_mib(device->index) << 20;
    memory->used = memory->total - memory->free;
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *rates) {
    gpu_t *gpu;
    nvmlReturn_t result = begin_gpu(device, &gpu);
    if (result != SUCCESS)
        return result;
    rates->gpu = gpu->busy;
    rates->memory = 0;
    return gpu->tells_busy ? SUCCESS : NOT_SUPPORTED;
}

/* There is always a newer sample than the one that was seen last. */
nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device,
                                             nvmlProcessUtilizationSample_t *out, unsigned *count,
                                             unsigned long long seen) {
    gpu_t *gpu;
    unsigned room = *count, found = 0;
    nvmlReturn_t result = begin_gpu(device, &gpu);
    if (result != SUCCESS)
        return result;
    if (!state.uses)
        return NOT_SUPPORTED;
    for (int i = 0; i < state.uses; i++) {
        if (state.use[i].gpu != device->index)
            continue;
        if (out && found < room) {
            memset(&out[found], 0, sizeof *out);
            out[found].pid = state.use[i].pid;
            out[found].at = seen + 1;
            out[found].sm = state.use[i].busy;
        }
        found++;
    }
    *count = found;
    if (!found)
        return NOT_FOUND;
    return out && found <= room ? SUCCESS : INSUFFICIENT_SIZE;
}

static nvmlReturn_t list_processes(nvmlDevice_t device, unsigned *count, nvmlProcessInfo_t *out,
                                   const char *kind) {
    gpu_t *gpu;
    unsigned room = *count, found = 0;
    nvmlReturn_t result = begin_gpu(device, &gpu);
    if (result != SUCCESS)
        return result;
    if (gpu->lacks_processes)
        return NOT_SUPPORTED;
    for (int i = 0; i < state.processes; i++) {
        const process_t *process = &state.process[i];
        if (process->gpu != device->index || strcmp(process->kind, kind))
            continue;
        if (out && found < room) {
            out[found].pid = process->pid;
            out[found].used = process->used_mib < 0 ? ~0ULL : (bytes_t)process->used_mib << 20;
            out[found].gpu_instance = out[found].compute_instance = ~0U;
        }
        found++;
    }
    *count = found;
    return found > (out ? room : 0) ? INSUFFICIENT_SIZE : SUCCESS;
}

#ifdef OLD_DRIVER

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t device, unsigned *count,
                                                     nvmlProcessInfo_t *out) {
    return list_processes(device, count, out, "compute");
}

nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v2(nvmlDevice_t device, unsigned *count,
                                                      nvmlProcessInfo_t *out) {
    return list_processes(device, count, out, "graphics");
}

#else

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned *current, unsigned *pending) {
    gpu_t *gpu;
    nvmlReturn_t result = begin_gpu(device, &gpu);
    if (result != SUCCESS)
        return result;
    *current = *pending = gpu->mig;
    return gpu->has_mig ? SUCCESS : NOT_SUPPORTED;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory) {
    gpu_t *gpu;
    nvmlReturn_t result = begin_gpu(device, &gpu);
    if (result != SUCCESS)
        return result;
    if (gpu->lacks_memory)
        return NOT_SUPPORTED;
    memory->total = gpu->total_mib << 20;
    memory->reserved = gpu->reserved_mib << 20;
    memory->free = free_mib(device->index) << 20;
    memory->used = used_mib(device->index) << 20;
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *count,
                                                     nvmlProcessInfo_t *out) {
    return list_processes(device, count, out, "compute");
}

nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v3(nvmlDevice_t device, unsigned *count,
                                                      nvmlProcessInfo_t *out) {
    return list_processes(device, count, out, "graphics");
}

#endif
