/* The hard thing: a block may come twice, as its response may be lost, so what is there already is acknowledged and not
 * taken again; and the last one may, too, when all is done. */
#include "tools/member/firmware.h"

#include <stdlib.h>

#include "wire/block.h"

enum { FORMAT_JSON = 50 };

void cg_firmware_init(struct cg_firmware *firmware) {
    *firmware = (struct cg_firmware){0};
    crypto_hash_sha256(firmware->sha256, NULL, 0);
}

void cg_firmware_fini(struct cg_firmware *firmware) { free(firmware->uploads); }

bool cg_firmware_is_meant(const struct cg_resource_request *request, const struct cg_member_options *options) {
    for (size_t i = 0; i < options->resources_len; i++) {
        if (cg_slice_is(options->resources[i].path, "firmware")) return false;
    }
    return strcmp(request->path, "firmware") == 0;
}

/* Uploads */

static bool is_of(const struct cg_firmware_upload *upload, const struct cg_addr *from, struct cg_slice tag) {
    return upload->used > 0 && cg_addr_equal(&upload->from, from) && cg_slice_equal(upload->tag, tag);
}

/* NULL: none. */
static struct cg_firmware_upload *find(const struct cg_firmware *firmware, const struct cg_addr *from,
                                       struct cg_slice tag) {
    for (size_t i = 0; firmware->uploads != NULL && i < CG_FIRMWARE_UPLOADS; i++) {
        if (is_of(&firmware->uploads[i], from, tag)) return &firmware->uploads[i];
    }
    return NULL;
}

/* NULL: no memory. */
static struct cg_firmware_upload *oldest(struct cg_firmware *firmware) {
    if (firmware->uploads == NULL) firmware->uploads = calloc(CG_FIRMWARE_UPLOADS, sizeof *firmware->uploads);
    struct cg_firmware_upload *oldest = firmware->uploads;
    for (size_t i = 1; oldest != NULL && i < CG_FIRMWARE_UPLOADS; i++) {
        if (firmware->uploads[i].used < oldest->used) oldest = &firmware->uploads[i];
    }
    return oldest;
}

/* Begins it, anew where it was there. NULL: no memory. */
static struct cg_firmware_upload *begin(struct cg_firmware *firmware, const struct cg_addr *from, struct cg_slice tag) {
    struct cg_firmware_upload *upload = find(firmware, from, tag);
    if (upload == NULL) upload = oldest(firmware);
    if (upload == NULL) return NULL;
    *upload = (struct cg_firmware_upload){.from = *from};
    if (tag.len > 0) memcpy(upload->tag_bytes, tag.data, tag.len);
    upload->tag = cg_slice_of(upload->tag_bytes, tag.len);
    crypto_hash_sha256_init(&upload->hash);
    return upload;
}

static void finish(struct cg_firmware *firmware, struct cg_firmware_upload *upload) {
    upload->is_whole = true;
    firmware->len = upload->received;
    crypto_hash_sha256_final(&upload->hash, firmware->sha256);
}

static void take(struct cg_firmware *firmware, struct cg_firmware_upload *upload, struct cg_slice payload, bool more) {
    crypto_hash_sha256_update(&upload->hash, payload.data, payload.len);
    upload->received += (uint32_t)payload.len;
    if (!more) finish(firmware, upload);
}

/* Responses */

static void refuse_size(struct cg_resource_response *response) {
    cg_resource_refuse(response, CG_CODE(4, 13), "1 MiB at most");
    response->has_size1 = true;
    response->size1 = CG_FIRMWARE_MAX;
}

static void put_block(struct cg_resource_response *response, const struct cg_resource_request *request,
                      const struct cg_block *block, struct cg_firmware *firmware, struct cg_firmware_upload *upload) {
    uint32_t at = block->number * (uint32_t)cg_block_size(block);
    bool is_known = at + request->payload.len <= upload->received && (at < upload->received || upload->is_whole);
    if (!is_known && (at != upload->received || upload->is_whole)) {
        cg_resource_refuse(response, CG_CODE(4, 8), "what comes before it is not here");
        return;
    }
    if (!is_known) take(firmware, upload, request->payload, block->more);
    upload->used = ++firmware->used;
    *response = (struct cg_resource_response){.code = block->more ? CG_CODE(2, 31) : CG_CODE(2, 4)};
}

static void put_in_blocks(struct cg_resource_response *response, const struct cg_resource_request *request,
                          const struct cg_addr *from, struct cg_firmware *firmware) {
    const struct cg_block block = {
        .number = request->block1 >> 4, .more = request->block1 & 8, .szx = request->block1 & 7};
    struct cg_firmware_upload *upload = NULL;
    bool is_sound = block.szx <= CG_BLOCK_SZX_MAX && cg_block_has_its_size(&block, request->payload.len);
    if (!is_sound) {
        cg_resource_refuse(response, CG_CODE(4, 0), "a block that others follow is as long as it says");
        return;
    }
    if ((uint64_t)block.number * cg_block_size(&block) + request->payload.len > CG_FIRMWARE_MAX) {
        refuse_size(response);
    } else {
        upload = block.number == 0 ? begin(firmware, from, request->tag) : find(firmware, from, request->tag);
        if (upload == NULL) {
            cg_resource_refuse(response, CG_CODE(4, 8), "what comes before it is not here");
        } else {
            put_block(response, request, &block, firmware, upload);
        }
    }
    response->has_block1 = true;
    response->block1 = request->block1;
}

static void put_whole(struct cg_resource_response *response, const struct cg_resource_request *request,
                      struct cg_firmware *firmware) {
    if (request->payload.len > CG_FIRMWARE_MAX) {
        refuse_size(response);
        return;
    }
    firmware->len = (uint32_t)request->payload.len;
    crypto_hash_sha256(firmware->sha256, request->payload.data, request->payload.len);
    *response = (struct cg_resource_response){.code = CG_CODE(2, 4)};
}

static void get(struct cg_resource_response *response, const struct cg_firmware *firmware, struct cg_buf *scratch) {
    cg_buf_clear(scratch);
    cg_buf_printf(scratch, "{\"size\":%u,\"sha256\":\"", (unsigned)firmware->len);
    cg_buf_put_hex(scratch, cg_slice_of(firmware->sha256, sizeof firmware->sha256));
    cg_buf_put_str(scratch, "\"}");
    *response = (struct cg_resource_response){
        .code = CG_CODE(2, 5), .has_format = true, .format = FORMAT_JSON, .payload = cg_buf_slice(scratch)};
}

void cg_firmware_serve(struct cg_resource_response *response, const struct cg_resource_request *request,
                       const struct cg_addr *from, struct cg_firmware *firmware, struct cg_buf *scratch) {
    if (request->code == CG_GET) {
        get(response, firmware, scratch);
    } else if (request->code != CG_PUT) {
        cg_resource_refuse(response, CG_CODE(4, 5), "");
    } else if (request->has_block1) {
        put_in_blocks(response, request, from, firmware);
    } else {
        put_whole(response, request, firmware);
    }
}
