/* The time at the beginning of the log's lines: ts=2026-11-28T12:00:00.123Z (RFC 3339). */
#ifndef CG_IO_LOG_TIME_H
#define CG_IO_LOG_TIME_H

#include "base/log.h"

/* For cg_log_stamp_with. */
size_t cg_log_time(char to[CG_LOG_STAMP_MAX], enum cg_log_level level);

#endif
