/* A disk that loses power, as an SQLite VFS between SQLite and the real files. It knows which writes an fsync has made
 * durable; it can fail an fsync, after which, as on Linux, what was to be written may be lost though it still reads
 * back; and it can say what would be on the disk if the power went now. */
#ifndef FAKE_DISK_H
#define FAKE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void fake_disk_init(uint32_t seed); /* becomes SQLite's default VFS */
void fake_disk_fini(void);

void fake_disk_fail_syncs(unsigned count);            /* the next ones */
void fake_disk_fail_writes(unsigned count, int code); /* the next ones, with that SQLite code */
void fake_disk_spare(unsigned count);                 /* writes and fsyncs, each, before the next ones fail */
unsigned fake_disk_failures_left(void);

/* Called before each write, truncation, fsync and removal: good moments for the power to fail. NULL: not any more. */
void fake_disk_watch(void (*moment)(void *ctx), void *ctx);

uint64_t fake_disk_syncs(void);  /* that succeeded */
size_t fake_disk_unsynced(void); /* writes that are not durable yet */
unsigned fake_disk_maps(void);   /* attempts to map a file into memory */
uint32_t fake_disk_random(void);

/* The files as a power failure would leave them, with the same names, in `folder`, which is emptied before. Of what was
 * not synced, any part may have got there. */
void fake_disk_after_power_loss(const char *folder);

#endif
