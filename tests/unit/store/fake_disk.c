/* The VFS. The hard thing is to be as unkind as real disks, and no worse: a write that no fsync covered is there or
 * not, each by itself; a removed file may be back until another one of its name has been synced. */
#include "fake_disk.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct bytes {
    uint8_t *data;
    size_t len;
};

/* A write, or where data is NULL a truncation to `at`. */
struct change {
    struct change *next;
    uint8_t *data;
    size_t len;
    size_t at;
};

struct node {
    struct node *next;
    char *path;
    struct bytes live;    /* what is durable of the file that now has the name */
    struct bytes durable; /* what the name leads to after a power failure */
    bool exists;          /* durably */
    bool renewed;         /* `live` is of a file whose name is not durable yet */
    struct change *first, **last;
};

struct fake_file {
    sqlite3_file base;
    struct node *node; /* NULL: not followed */
    sqlite3_file *real;
};

static sqlite3_vfs vfs;
static sqlite3_vfs *unix_vfs;
static struct node *nodes;
static uint32_t random_state;
static unsigned sync_failures, write_failures, spared_syncs, spared_writes, maps;
static int write_code;
static uint64_t syncs;
static void (*watcher)(void *ctx);
static void *watcher_ctx;

uint32_t fake_disk_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

/* Images */

static void resize(struct bytes *bytes, size_t len) {
    if (len > bytes->len) {
        bytes->data = realloc(bytes->data, len);
        CG_CHECK(bytes->data != NULL);
        memset(bytes->data + bytes->len, 0, len - bytes->len);
    }
    bytes->len = len;
}

static void copy_bytes(struct bytes *to, const struct bytes *from) {
    resize(to, 0);
    resize(to, from->len);
    if (from->len > 0) memcpy(to->data, from->data, from->len);
}

static void apply(struct bytes *bytes, const struct change *change) {
    if (change->data == NULL) {
        if (change->at < bytes->len) bytes->len = change->at;
        return;
    }
    if (change->at + change->len > bytes->len) resize(bytes, change->at + change->len);
    memcpy(bytes->data + change->at, change->data, change->len);
}

static void add_change(struct node *node, const void *data, size_t len, size_t at) {
    struct change *change = calloc(1, sizeof *change);
    CG_CHECK(change != NULL);
    change->at = at;
    if (data != NULL) {
        change->data = malloc(len);
        CG_CHECK(change->data != NULL);
        memcpy(change->data, data, len);
        change->len = len;
    }
    *node->last = change;
    node->last = &change->next;
}

/* Applies all changes, or some, to the live image, and forgets them. */
static void settle(struct node *node, bool all) {
    for (struct change *change = node->first, *next; change != NULL; change = next) {
        next = change->next;
        if (all || fake_disk_random() % 2 == 0) apply(&node->live, change);
        free(change->data);
        free(change);
    }
    node->first = NULL;
    node->last = &node->first;
}

static void make_durable(struct node *node) {
    copy_bytes(&node->durable, &node->live);
    node->exists = true;
    node->renewed = false;
}

static struct node *find_node(const char *path) {
    for (struct node *node = nodes; node != NULL; node = node->next) {
        if (strcmp(node->path, path) == 0) return node;
    }
    return NULL;
}

static struct node *node_for(const char *path) {
    struct node *node = find_node(path);
    if (node != NULL) return node;
    node = calloc(1, sizeof *node);
    CG_CHECK(node != NULL);
    node->path = strdup(path);
    node->last = &node->first;
    node->next = nodes;
    nodes = node;
    return node;
}

/* Files */

static void watch(void) {
    if (watcher != NULL) watcher(watcher_ctx);
}

/* Whether this one, of those that are to fail, does. */
static bool fails(unsigned *spared, unsigned *failures) {
    if (*failures == 0) return false;
    if (*spared > 0) {
        (*spared)--;
        return false;
    }
    (*failures)--;
    return true;
}

static struct fake_file *fake_of(sqlite3_file *file) { return (struct fake_file *)file; }

static sqlite3_file *real_of(sqlite3_file *file) { return fake_of(file)->real; }

static int disk_close(sqlite3_file *file) { return real_of(file)->pMethods->xClose(real_of(file)); }

static int disk_read(sqlite3_file *file, void *to, int len, sqlite3_int64 at) {
    return real_of(file)->pMethods->xRead(real_of(file), to, len, at);
}

static int disk_write(sqlite3_file *file, const void *from, int len, sqlite3_int64 at) {
    watch();
    if (fails(&spared_writes, &write_failures)) return write_code;
    if (fake_of(file)->node != NULL) add_change(fake_of(file)->node, from, (size_t)len, (size_t)at);
    return real_of(file)->pMethods->xWrite(real_of(file), from, len, at);
}

static int disk_truncate(sqlite3_file *file, sqlite3_int64 size) {
    watch();
    if (fails(&spared_writes, &write_failures)) return SQLITE_IOERR_TRUNCATE;
    if (fake_of(file)->node != NULL) add_change(fake_of(file)->node, NULL, 0, (size_t)size);
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int disk_sync(sqlite3_file *file, int flags) {
    struct node *node = fake_of(file)->node;
    watch();
    bool lost = fails(&spared_syncs, &sync_failures);
    if (node != NULL) {
        settle(node, !lost);
        make_durable(node);
        if (!lost) syncs++;
    }
    return lost ? SQLITE_IOERR_FSYNC : real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int disk_file_size(sqlite3_file *file, sqlite3_int64 *size) {
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int disk_lock(sqlite3_file *file, int level) { return real_of(file)->pMethods->xLock(real_of(file), level); }

static int disk_unlock(sqlite3_file *file, int level) { return real_of(file)->pMethods->xUnlock(real_of(file), level); }

static int disk_check_lock(sqlite3_file *file, int *result) {
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), result);
}

static int disk_control(sqlite3_file *file, int what, void *arg) {
    return real_of(file)->pMethods->xFileControl(real_of(file), what, arg);
}

static int disk_sector_size(sqlite3_file *file) { return real_of(file)->pMethods->xSectorSize(real_of(file)); }

static int disk_characteristics(sqlite3_file *file) {
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int disk_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **to) {
    maps++;
    return real_of(file)->pMethods->xShmMap(real_of(file), region, size, extend, to);
}

static int disk_shm_lock(sqlite3_file *file, int offset, int n, int flags) {
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void disk_shm_barrier(sqlite3_file *file) { real_of(file)->pMethods->xShmBarrier(real_of(file)); }

static int disk_shm_unmap(sqlite3_file *file, int remove) {
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, /* no xFetch: the store itself cannot be mapped, its log's index could */
    .xClose = disk_close,
    .xRead = disk_read,
    .xWrite = disk_write,
    .xTruncate = disk_truncate,
    .xSync = disk_sync,
    .xFileSize = disk_file_size,
    .xLock = disk_lock,
    .xUnlock = disk_unlock,
    .xCheckReservedLock = disk_check_lock,
    .xFileControl = disk_control,
    .xSectorSize = disk_sector_size,
    .xDeviceCharacteristics = disk_characteristics,
    .xShmMap = disk_shm_map,
    .xShmLock = disk_shm_lock,
    .xShmBarrier = disk_shm_barrier,
    .xShmUnmap = disk_shm_unmap,
};

/* A file that was there before is taken for durable. */
static void adopt(struct node *node, sqlite3_file *real) {
    sqlite3_int64 size = 0;
    if (node->exists || node->first != NULL || real->pMethods->xFileSize(real, &size) != SQLITE_OK || size == 0) return;
    resize(&node->live, (size_t)size);
    int code = real->pMethods->xRead(real, node->live.data, (int)size, 0);
    CG_CHECK(code == SQLITE_OK);
    make_durable(node);
}

static int disk_open(sqlite3_vfs *self, sqlite3_filename name, sqlite3_file *file, int flags, int *out_flags) {
    struct fake_file *fake = fake_of(file);
    (void)self;
    *fake = (struct fake_file){.real = (sqlite3_file *)(fake + 1)};
    int code = unix_vfs->xOpen(unix_vfs, name, fake->real, flags, out_flags);
    if (code != SQLITE_OK) return code;
    fake->base.pMethods = &methods;
    if (name == NULL || (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) == 0) return code;
    fake->node = node_for(name);
    adopt(fake->node, fake->real);
    return code;
}

static int disk_delete(sqlite3_vfs *self, const char *name, int sync_folder) {
    struct node *node = find_node(name);
    (void)self;
    watch();
    if (node != NULL) { /* the name comes back with the power, unless a new file of that name is synced before */
        settle(node, false);
        if (!node->renewed) copy_bytes(&node->durable, &node->live);
        resize(&node->live, 0);
        node->renewed = true;
        if (sync_folder) node->exists = false;
    }
    return unix_vfs->xDelete(unix_vfs, name, sync_folder);
}

/* For everybody */

void fake_disk_init(uint32_t seed) {
    unix_vfs = sqlite3_vfs_find("unix");
    vfs = *unix_vfs;
    vfs.pNext = NULL;
    vfs.szOsFile = (int)sizeof(struct fake_file) + unix_vfs->szOsFile;
    vfs.zName = "fake-disk";
    vfs.xOpen = disk_open;
    vfs.xDelete = disk_delete;
    random_state = seed;
    sync_failures = write_failures = spared_syncs = spared_writes = maps = 0;
    watcher = NULL;
    sqlite3_vfs_register(&vfs, 1);
}

void fake_disk_fini(void) {
    sqlite3_vfs_unregister(&vfs);
    for (struct node *node = nodes, *next; node != NULL; node = next) {
        next = node->next;
        settle(node, true);
        free(node->live.data);
        free(node->durable.data);
        free(node->path);
        free(node);
    }
    nodes = NULL;
}

void fake_disk_fail_syncs(unsigned count) { sync_failures = count; }

void fake_disk_fail_writes(unsigned count, int code) {
    write_failures = count;
    write_code = code;
}

void fake_disk_spare(unsigned count) { spared_syncs = spared_writes = count; }

unsigned fake_disk_failures_left(void) { return sync_failures + write_failures; }

void fake_disk_watch(void (*moment)(void *ctx), void *ctx) {
    watcher = moment;
    watcher_ctx = ctx;
}

uint64_t fake_disk_syncs(void) { return syncs; }

unsigned fake_disk_maps(void) { return maps; }

size_t fake_disk_unsynced(void) {
    size_t count = 0;
    for (const struct node *node = nodes; node != NULL; node = node->next) {
        for (const struct change *change = node->first; change != NULL; change = change->next) count++;
    }
    return count;
}

static void write_image(const char *folder, const struct node *node) {
    const char *slash = strrchr(node->path, '/');
    char path[512];
    struct bytes image = {0};
    snprintf(path, sizeof path, "%s/%s", folder, slash != NULL ? slash + 1 : node->path);
    remove(path);
    copy_bytes(&image, &node->durable);
    for (const struct change *change = node->first; change != NULL; change = change->next) {
        if (fake_disk_random() % 2 == 0) apply(&image, change);
    }
    if (node->exists) {
        FILE *file = fopen(path, "wb");
        CG_CHECK(file != NULL);
        size_t written = image.len == 0 ? 0 : fwrite(image.data, 1, image.len, file);
        CG_CHECK(written == image.len);
        fclose(file);
    }
    free(image.data);
}

void fake_disk_after_power_loss(const char *folder) {
    for (const struct node *node = nodes; node != NULL; node = node->next) write_image(folder, node);
}
