/* The result of a discovery while it grows (model/found.h): who has answered, with what, once each; bounded as a whole,
 * so that no member, however long its list, takes more than there is. */
#ifndef CG_JOBS_FINDINGS_H
#define CG_JOBS_FINDINGS_H

#include "base/arena.h"
#include "base/hash.h"
#include "model/answer.h"
#include "model/found.h"
#include "wire/link_format.h"

#define CG_FINDINGS_SILENT_MAX      4096u /* silent members that are kept by name; the others are counted */
#define CG_FINDINGS_DIRECTORIES_MAX 256u  /* each is compared with all others */
#define CG_FINDINGS_GAPS_MAX        256u  /* gaps that are kept by name; the others are counted by reason */

struct cg_finding_key;

struct cg_findings {
    struct cg_found found;
    struct cg_arena arena;
    struct cg_finding_key *keys; /* uthash head: what is in the lists */
    struct cg_found_node **last_node;
    struct cg_found_directory **last_directory;
    struct cg_found_entry **last_entry;
    struct cg_found_security_group **last_security_group;
    struct cg_found_gap **last_gap;
    uint32_t silent_kept, gaps_kept;
    bool is_full; /* something did not fit */
};

/* By what a list was asked for. */
struct cg_finding_source {
    const struct cg_mapping *mapping; /* NULL: the group is no mapping's */
    const char *group;                /* of the findings' arena */
};

enum cg_finding_part { CG_FINDING_BEGINNING, CG_FINDING_ALL };

void cg_findings_init(struct cg_findings *findings);
void cg_findings_fini(struct cg_findings *findings);

/* A copy that lives as long as the result. NULL data for a text that is not empty: there is no room. */
struct cg_slice cg_findings_keep(struct cg_findings *findings, struct cg_slice text);

/* Somebody's answer to GET /.well-known/core. What it said wholly before stands. NULL: there is no room for it. */
struct cg_found_node *cg_findings_note_answer(struct cg_findings *findings, const struct cg_finding_source *source,
                                              const struct cg_answer *answer, enum cg_finding_part part);
/* Somebody has begun a list that nobody has seen any of, or is a member that has said nothing. */
void cg_findings_note_cut(struct cg_findings *findings, const struct cg_finding_source *source,
                          const struct cg_member *member, const struct cg_addr *from);
void cg_findings_note_silent(struct cg_findings *findings, const struct cg_finding_source *source,
                             const struct cg_member *member);

/* NULL: it is there already, or there is no room, or there are CG_FINDINGS_DIRECTORIES_MAX. */
struct cg_found_directory *cg_findings_note_directory(struct cg_findings *findings, enum cg_found_directory_kind kind,
                                                      struct cg_slice uri, const struct cg_addr *told_by);
/* Into the directory's list; false: it was there, or there is no room. The slices of `entry` are copied. */
bool cg_findings_import(struct cg_findings *findings, struct cg_found_directory *directory,
                        const struct cg_found_entry *entry);
/* A link with rt="core.osc.gm"; `join` is its target, whole. */
bool cg_findings_note_security_group(struct cg_findings *findings, const struct cg_link *link, struct cg_slice join,
                                     const struct cg_addr *told_by);
/* `why` is static. */
void cg_findings_note_gap(struct cg_findings *findings, struct cg_slice what, const char *why);

/* What it says is link-format, as far as anybody knows. */
bool cg_findings_are_links(const struct cg_answer *answer);

#endif
