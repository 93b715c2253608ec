/* What castgate-keys says on stderr. The functions with a status give -1. */
#ifndef CG_TOOLS_KEYS_REPORT_H
#define CG_TOOLS_KEYS_REPORT_H

#include <jansson.h>

struct cg_mistakes;

int cg_keys_complain(const char *what);
int cg_keys_complain_about(const char *what, const char *why);
/* Fills in the sentence (CG_KEYS_ERROR_MAX) of an error that has none of its own. */
void cg_keys_explain(int err, char *error);
int cg_keys_list_mistakes(const char *file, const struct cg_mistakes *mistakes);
/* 0: every party could use the document, which is called `name` here. */
int cg_keys_check(const char *name, const json_t *document);

#endif
