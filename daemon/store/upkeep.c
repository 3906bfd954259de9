/* SPDX-License-Identifier: MIT */
/*
 * upkeep - moving the WAL into the database, and free pages back to the file system.
 *
 * A commit never does it (wal_autocheckpoint=0). It happens between batches when the WAL is
 * large, once after a quiet second, and at the close. A checkpoint that finds the disk full
 * takes the ballast: the WAL can only begin anew behind a whole one, so this makes more room
 * than it costs.
 */
#include <errno.h>

#include "base/limits.h"
#include "daemon/store/internal.h"

enum {
    UPKEEP_PAGE_BYTES = DB_WAL_FRAME_BYTES,
    UPKEEP_WAL_AHEAD = 256 * 1024, /* of the WAL's file, for the next commits */
    UPKEEP_WAL_STEP = 1024 * 1024,
};

static int upkeep_checkpoint(struct store *s, int mode)
{
    int r = db_checkpoint(&s->db, mode);
    if (r == -ENOSPC && ballast_release(&s->ballast))
        r = db_checkpoint(&s->db, mode);
    if (r < 0 && r != -ENOSPC && r != -ENOMEM && r != -EBUSY)
        batch_break(s);
    return r;
}

void upkeep_busy(struct store *s)
{
    if (!s->broken && (uint64_t)s->db.wal_pages * UPKEEP_PAGE_BYTES >= LIMIT_WAL_BYTES)
        upkeep_checkpoint(s, SQLITE_CHECKPOINT_PASSIVE);
    if (!s->broken && s->db.wal_pages > 0 &&
        db_extend_wal(&s->db, UPKEEP_WAL_AHEAD, UPKEEP_WAL_STEP) == -EIO)
        batch_break(s);
}

bool upkeep_rewind(struct store *s)
{
    if (s->broken || s->db.wal_pages == 0)
        return false;
    upkeep_checkpoint(s, SQLITE_CHECKPOINT_PASSIVE);
    return !s->broken && s->db.wal_pages == 0;
}

/* 1: pages were given back, there may be more; 0: nothing to do or no room to do it. */
static int upkeep_vacuum(struct store *s)
{
    int64_t pages;
    int r = db_integer(&s->db, "PRAGMA freelist_count", &pages);
    if (r == 0 && pages < STORE_VACUUM_PAGES)
        return 0;
    _Static_assert(STORE_VACUUM_PAGES == 256, "as in the statement");
    if (r == 0)
        r = db_exec(&s->db, "PRAGMA incremental_vacuum(256)");
    if (r == 0)
        return 1;
    if (r != -ENOSPC && r != -ENOMEM)
        batch_break(s);
    return 0;
}

void upkeep_quiet(struct store *s)
{
    s->wal_dirty = false;
    while (!s->broken && !store_thread_waited_for(s)) {
        if (upkeep_checkpoint(s, SQLITE_CHECKPOINT_PASSIVE) < 0 || upkeep_vacuum(s) == 0)
            break;
    }
    sqlite3_db_release_memory(s->db.handle);
}

bool upkeep_close(struct store *s)
{
    if (s->broken || upkeep_checkpoint(s, SQLITE_CHECKPOINT_TRUNCATE) < 0)
        return false;
    /* Nothing is left to checkpoint: this only removes the empty WAL. */
    sqlite3_db_config(s->db.handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    return true;
}
