/* The command line of castgatectl. */
#ifndef CG_TOOLS_CTL_OPTIONS_H
#define CG_TOOLS_CTL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CG_CTL_ERROR_MAX 1024

enum cg_ctl_command {
    CG_CTL_HELP,
    CG_CTL_APPLY,
    CG_CTL_DIFF,
    CG_CTL_EXPORT,
    CG_CTL_TRY,
    CG_CTL_TAIL,
    CG_CTL_HISTORY,
    CG_CTL_UNDO,
    CG_CTL_CALL,
};

/* Strings point into argv or the environment. */
struct cg_ctl_options {
    enum cg_ctl_command command;
    const char *url;               /* of the admin listener, without a path */
    const char *token_file;        /* "-": standard input; NULL: the usual places */
    const char *ca;                /* file with certificates that vouch for the gateway's; NULL: the system's */
    const char *certificate, *key; /* a client certificate; NULL: none */
    const char *file;              /* APPLY, DIFF: "-": standard input; CALL: the body */
    bool dry_run;                  /* APPLY, TRY, UNDO */
    bool prune;                    /* APPLY, DIFF */
    bool as_json;
    bool with_later;      /* UNDO */
    const char *words[2]; /* what stands behind the command: mapping, number, method and path */
    size_t word_count;
    const char *method;       /* TRY */
    const char *body;         /* TRY */
    const char *content_type; /* TRY */
    const char *client;       /* TRY */
    const char *if_match;     /* CALL: an ETag; NULL: none */
    uint32_t count;           /* HISTORY: revisions */
};

/* CG_OK, or CG_E_BAD_REQUEST with a sentence in `error`. */
int cg_ctl_options_parse(struct cg_ctl_options *options, int argc, const char *const argv[],
                         char error[CG_CTL_ERROR_MAX]) CG_MUST_CHECK;

extern const char cg_ctl_usage[];

#endif
