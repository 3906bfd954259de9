/* SPDX-License-Identifier: MIT */
/*
 * fault_vfs - SQLite's own file layer with failures on demand.
 *
 * Version 1 of the methods is enough: with locking_mode=EXCLUSIVE no shared memory is asked
 * for, and a store that forgot it could not use a WAL here.
 */
#include "tests/store/fault_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <time.h>

struct fault_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct, in the same memory */
};

static atomic_bool fault_sync, fault_full;
static atomic_uint fault_syncs, fault_writes;
static pthread_mutex_t fault_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t fault_synced = PTHREAD_COND_INITIALIZER;
static sqlite3_vfs fault_vfs;

static sqlite3_file *fault_real(sqlite3_file *file)
{
    return ((struct fault_file *)(void *)file)->real;
}

static int fault_close(sqlite3_file *file)
{
    return fault_real(file)->pMethods->xClose(fault_real(file));
}

static int fault_read(sqlite3_file *file, void *to, int n, sqlite3_int64 at)
{
    return fault_real(file)->pMethods->xRead(fault_real(file), to, n, at);
}

static int fault_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 at)
{
    atomic_fetch_add(&fault_writes, 1);
    if (atomic_load(&fault_full))
        return SQLITE_FULL;
    return fault_real(file)->pMethods->xWrite(fault_real(file), from, n, at);
}

static int fault_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return fault_real(file)->pMethods->xTruncate(fault_real(file), size);
}

static int fault_sync_file(sqlite3_file *file, int flags)
{
    pthread_mutex_lock(&fault_mutex);
    atomic_fetch_add(&fault_syncs, 1);
    pthread_cond_broadcast(&fault_synced);
    pthread_mutex_unlock(&fault_mutex);
    if (atomic_load(&fault_sync))
        return SQLITE_IOERR_FSYNC;
    return fault_real(file)->pMethods->xSync(fault_real(file), flags);
}

static int fault_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    return fault_real(file)->pMethods->xFileSize(fault_real(file), ret);
}

static int fault_lock(sqlite3_file *file, int level)
{
    return fault_real(file)->pMethods->xLock(fault_real(file), level);
}

static int fault_unlock(sqlite3_file *file, int level)
{
    return fault_real(file)->pMethods->xUnlock(fault_real(file), level);
}

static int fault_locked(sqlite3_file *file, int *ret)
{
    return fault_real(file)->pMethods->xCheckReservedLock(fault_real(file), ret);
}

static int fault_control(sqlite3_file *file, int op, void *arg)
{
    return fault_real(file)->pMethods->xFileControl(fault_real(file), op, arg);
}

static int fault_sector(sqlite3_file *file)
{
    return fault_real(file)->pMethods->xSectorSize(fault_real(file));
}

static int fault_device(sqlite3_file *file)
{
    return fault_real(file)->pMethods->xDeviceCharacteristics(fault_real(file));
}

static const sqlite3_io_methods fault_methods = {
    .iVersion = 1,
    .xClose = fault_close,
    .xRead = fault_read,
    .xWrite = fault_write,
    .xTruncate = fault_truncate,
    .xSync = fault_sync_file,
    .xFileSize = fault_size,
    .xLock = fault_lock,
    .xUnlock = fault_unlock,
    .xCheckReservedLock = fault_locked,
    .xFileControl = fault_control,
    .xSectorSize = fault_sector,
    .xDeviceCharacteristics = fault_device,
};

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                      int *ret_flags)
{
    sqlite3_vfs *real = vfs->pAppData;
    struct fault_file *f = (struct fault_file *)(void *)file;
    f->base.pMethods = NULL;
    f->real = (sqlite3_file *)(void *)(f + 1);
    int rc = real->xOpen(real, name, f->real, flags, ret_flags);
    if (rc == SQLITE_OK)
        f->base.pMethods = &fault_methods;
    return rc;
}

bool fault_vfs_install(void)
{
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    if (!real)
        return false;
    fault_vfs = *real;
    fault_vfs.zName = "fault";
    fault_vfs.pAppData = real;
    fault_vfs.szOsFile = (int)sizeof(struct fault_file) + real->szOsFile;
    fault_vfs.xOpen = fault_open;
    atomic_store(&fault_sync, false);
    atomic_store(&fault_full, false);
    return sqlite3_vfs_register(&fault_vfs, 1) == SQLITE_OK;
}

void fault_vfs_remove(void)
{
    sqlite3_vfs_unregister(&fault_vfs);
}

void fault_vfs_fail_sync(bool on)
{
    atomic_store(&fault_sync, on);
}

void fault_vfs_fill(bool on)
{
    atomic_store(&fault_full, on);
}

bool fault_vfs_await_sync(unsigned n)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    int r = 0;
    pthread_mutex_lock(&fault_mutex);
    while (atomic_load(&fault_syncs) <= n && r == 0)
        r = pthread_cond_timedwait(&fault_synced, &fault_mutex, &until);
    pthread_mutex_unlock(&fault_mutex);
    return r == 0;
}

unsigned fault_vfs_syncs(void)
{
    return atomic_load(&fault_syncs);
}

unsigned fault_vfs_writes(void)
{
    return atomic_load(&fault_writes);
}
