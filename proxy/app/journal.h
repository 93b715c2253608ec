/* Whether systemd's journal reads the log: it notes the time of each line itself (systemd.exec(5), JOURNAL_STREAM). */
#ifndef CG_APP_JOURNAL_H
#define CG_APP_JOURNAL_H

#include <stdbool.h>

bool cg_journal_reads_stderr(void);

#endif
