/* The hard thing: the variable is inherited by whoever is started with another standard error, so it counts only where
 * it names that very file. */
#include "app/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool cg_journal_reads_stderr(void) {
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat info;
    return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &info) == 0 &&
           info.st_dev == device && info.st_ino == inode;
}

size_t cg_journal_priority(char to[CG_LOG_STAMP_MAX], enum cg_log_level level) {
    static const char syslog[] = {
        [CG_LOG_DEBUG] = '7', [CG_LOG_INFO] = '6', [CG_LOG_WARNING] = '4', [CG_LOG_ERROR] = '3'};
    const char prefix[] = {'<', syslog[level], '>'};
    memcpy(to, prefix, sizeof prefix);
    return sizeof prefix;
}
