/* Everything that is stored as one document, without secrets, counters and times: the same bytes for the same state.
 *
 *     {"clients": {NAME: {…}}, "mappings": [{"name": NAME, …}], "reactions": [{"name": NAME, …}],
 *      "security_groups": {NAME: {…}}, "settings": {…}, "version": 1}
 *
 * What is in it has the forms of the settings file's sections. */
#ifndef CG_MANAGE_DOCUMENT_H
#define CG_MANAGE_DOCUMENT_H

#include "manage/manage.h"

/* By kind and name; a failed buffer shows it. Costs by what there is: copying, and nothing else. */
void cg_document_put(struct cg_buf *to, const struct cg_manage *manage);

/* A change's plan: whatever is stored, and such a document may have, becomes what it says; what it leaves out goes. For
 * the disk's thread, as it may be large. CG_E_INVALID with change->mistakes, whose pointers are the document's. A
 * security group is taken where its keys are here, as a document has none. */
int cg_document_plan(const json_t *document, struct cg_change *change, const struct cg_manage *manage) CG_MUST_CHECK;

/* From where a mistake is in an item ("/mappings/floor3/group") to where it is in the document ("/mappings/7/group"):
 * appended. What it does not know it leaves as it is. */
void cg_document_place(const json_t *document, const char *pointer, struct cg_buf *to);

#endif
