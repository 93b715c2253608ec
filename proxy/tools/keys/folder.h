/* The folder with a group's files on the disk, or a client's. What is written is complete or not there, also when the
 * power fails. */
#ifndef CG_TOOLS_KEYS_FOLDER_H
#define CG_TOOLS_KEYS_FOLDER_H

#include "keys/keyring.h"

/* All of them: CG_OK, or CG_E_STORE with a sentence in `error`, or CG_E_NO_MEMORY. */

/* Makes the folder with the document's files. It must not exist, or be empty; on an error it is as it was. */
int cg_keys_folder_make(const char *folder, json_t *document, char error[CG_KEYS_ERROR_MAX]) CG_MUST_CHECK;

/* The same of these files. */
struct cg_keys_file {
    const char *name;
    const json_t *json;
};
int cg_keys_folder_make_of(const char *folder, const struct cg_keys_file *files, size_t count,
                           char error[CG_KEYS_ERROR_MAX]) CG_MUST_CHECK;

/* Opens a folder for changes: nobody else may meanwhile. Completes or takes back what was interrupted; *completed: the
 * former. */
int cg_keys_folder_open(const char *folder, int *fd, bool *completed, char error[CG_KEYS_ERROR_MAX]) CG_MUST_CHECK;
void cg_keys_folder_close(int fd);

/* Writes the document's files under their names in that epoch, over what is there, and deletes the files whose names
 * are in the array `gone`. All of it happens or nothing. */
int cg_keys_folder_change(int fd, json_t *document, enum cg_keyring_epoch epoch, const json_t *gone,
                          char error[CG_KEYS_ERROR_MAX]) CG_MUST_CHECK;

#endif
