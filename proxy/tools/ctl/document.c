/* Files are the operator's own, and yet a wrong one must be told where it is wrong. */
#include "tools/ctl/document.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

enum { FILE_MAX_BYTES = 64 << 20 };

int cg_ctl_file_read(struct cg_buf *text, const char *file, char error[CG_CTL_ERROR_MAX]) {
    bool is_input = strcmp(file, "-") == 0;
    cg_buf_init(text, 0);
    int fd = is_input ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    int why = fd < 0 ? errno : cg_file_read_all(fd, FILE_MAX_BYTES, text);
    if (fd >= 0 && !is_input) close(fd);
    if (why == 0) return CG_OK;
    (void)snprintf(error, CG_CTL_ERROR_MAX, "%.400s: cannot be read: %.200s", file, strerror(why));
    return CG_E_BAD_REQUEST;
}

json_t *cg_ctl_document_read(const char *file, char error[CG_CTL_ERROR_MAX]) {
    struct cg_buf text;
    json_error_t why;
    json_t *json = NULL;
    if (cg_ctl_file_read(&text, file, error) == CG_OK) {
        struct cg_slice slice = cg_utf8_without_mark(cg_buf_slice(&text));
        json = json_loadb(slice.len == 0 ? "" : (const char *)slice.data, slice.len, JSON_REJECT_DUPLICATES, &why);
        if (json == NULL)
            (void)snprintf(error, CG_CTL_ERROR_MAX, "%.400s: line %d, column %d: %.200s", file, why.line, why.column,
                           why.text);
    }
    cg_buf_fini(&text);
    return json;
}
