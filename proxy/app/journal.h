/* Whether systemd's journal reads the log: it notes the time of each line itself (systemd.exec(5), JOURNAL_STREAM), and
 * its priority, where the line begins with one (sd-daemon(3)). */
#ifndef CG_APP_JOURNAL_H
#define CG_APP_JOURNAL_H

#include "base/log.h"

bool cg_journal_reads_stderr(void);

/* For cg_log_stamp_with. */
size_t cg_journal_priority(char to[CG_LOG_STAMP_MAX], enum cg_log_level level);

#endif
