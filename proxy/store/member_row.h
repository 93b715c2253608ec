/* What is known of one member, as a row of the members' file. Internal to store/. */
#ifndef CG_STORE_MEMBER_ROW_H
#define CG_STORE_MEMBER_ROW_H

#include <sqlite3.h>

#include "store/members.h"

/* The columns, in the order in which rows are written and read. */
#define CG_MEMBER_FIELDS "key, mapping, last_ms, shown, name, kid, addrs, times, lost, casts, missed"

/* Binds all of it to a statement that has a parameter for each column, and runs that. Returns SQLite's code. */
int cg_member_row_write(sqlite3_stmt *row, const struct cg_known_record *record, const struct cg_members_time *time);
/* The row that the statement stands at. False: it is damaged. */
bool cg_member_row_read(sqlite3_stmt *row, const struct cg_members_time *time, struct cg_known_record *record);

#endif
