/* A transcript of an exchange, as anybody may have written it: it plays, or is refused, and what is told of it is text.
 * What the core takes for granted of legs and settings is checked where the file is read. */
#include "input.h"

#include "app/replay/replay.h"
#include "base/buf.h"
#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cg_buf told;
    cg_log_set_level(CG_LOG_ERROR);
    cg_buf_init(&told, 0);
    enum cg_replayed replayed = cg_replay_text(cg_slice_of(data, size), &told);
    CG_CHECK(replayed <= CG_REPLAYED_NOT && (told.len > 0 || told.failed));
    for (size_t i = 0; i < told.len; i++)
        CG_CHECK(told.data[i] == '\n' || (told.data[i] >= ' ' && told.data[i] <= '~'));
    cg_buf_fini(&told);
    return 0;
}
