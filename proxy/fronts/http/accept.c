/* Accept. The hard thing: it may mean two things, the form of the whole reply and what members are to send, and only an
 * encoder's media type tells which. A member that cannot give what it is asked for is silent in a group, so it is only
 * asked where the client can mean nothing else. */
#include "fronts/http/accept.h"

#include "base/check.h"
#include "base/text.h"

struct media_range {
    struct cg_slice text; /* with its parameters */
    struct cg_slice type; /* "multipart/mixed" */
    unsigned thousandths; /* the weight */
};

enum specificity { NO_MATCH, ANY, ANY_SUBTYPE, EXACT };

/* RFC 9110 §12.4.2: "0", "1", up to three digits behind the point. */
static bool parse_weight(struct cg_slice text, unsigned *thousandths) {
    if (text.len == 0 || text.len > 5 || (text.data[0] != '0' && text.data[0] != '1')) return false;
    if (text.len > 1 && text.data[1] != '.') return false;
    unsigned value = text.data[0] == '1' ? 1000 : 0, unit = 100;
    for (size_t i = 2; i < text.len; i++, unit /= 10) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        value += (text.data[i] - '0') * unit;
    }
    *thousandths = value;
    return value <= 1000;
}

static bool parse_media_range(struct cg_slice text, struct media_range *range) {
    *range = (struct media_range){.text = text, .thousandths = 1000};
    if (!cg_http_next_item(&text, ';', &range->type)) return false;
    const uint8_t *slash = range->type.len > 0 ? memchr(range->type.data, '/', range->type.len) : NULL;
    if (slash == NULL) return false;
    struct cg_slice type = cg_slice_of(range->type.data, (size_t)(slash - range->type.data));
    struct cg_slice subtype = cg_slice_of(slash + 1, range->type.len - type.len - 1);
    if (!cg_http_is_token(type) || !cg_http_is_token(subtype)) return false;
    struct cg_slice parameter;
    while (cg_http_next_item(&text, ';', &parameter)) {
        if (!cg_slice_starts_nocase(parameter, "q=")) continue;
        return parse_weight(cg_slice_of(parameter.data + 2, parameter.len - 2), &range->thousandths);
    }
    return true;
}

/* Walks the elements of all Accept fields; malformed ones are passed over. */
struct accept_iter {
    const struct cg_http_message *message;
    size_t field;
    struct cg_slice rest;
};

static bool next_range(struct accept_iter *iter, struct media_range *range) {
    for (;;) {
        struct cg_slice item;
        while (cg_http_next_item(&iter->rest, ',', &item)) {
            if (parse_media_range(item, range)) return true;
        }
        do {
            if (iter->field == iter->message->field_count) return false;
        } while (!cg_slice_is_nocase(iter->message->fields[iter->field++].name, "Accept"));
        iter->rest = iter->message->fields[iter->field - 1].value;
    }
}

static enum specificity match(const struct media_range *range, const char *media_type) {
    if (cg_slice_is_nocase(range->type, media_type)) return EXACT;
    if (cg_slice_is(range->type, "*/*")) return ANY;
    size_t prefix = strcspn(media_type, "/") + 1;
    bool same = range->type.len == prefix + 1 && range->type.data[prefix] == '*' &&
                cg_slice_equal_nocase(cg_slice_of(range->type.data, prefix), cg_slice_of(media_type, prefix));
    return same ? ANY_SUBTYPE : NO_MATCH;
}

struct preference {
    unsigned thousandths;
    enum specificity specificity;
    size_t position; /* in Accept */
};

/* What Accept says about one type: the most specific range that matches decides (RFC 9110 §12.5.1). */
static struct preference preference_for(const struct cg_http_message *message, const char *media_type) {
    struct preference found = {0};
    struct accept_iter iter = {.message = message};
    struct media_range range;
    for (size_t position = 0; next_range(&iter, &range); position++) {
        enum specificity specificity = match(&range, media_type);
        if (specificity <= found.specificity) continue;
        found = (struct preference){range.thousandths, specificity, position};
    }
    return found;
}

/* Higher weight, then named rather than matched by a wildcard, then named earlier. */
static bool is_better(const struct preference *a, const struct preference *b) {
    if (a->thousandths != b->thousandths) return a->thousandths > b->thousandths;
    if (a->specificity != b->specificity) return a->specificity > b->specificity;
    return a->position < b->position;
}

/* NULL: none fits. */
static const struct castgate_encoder *find_encoder(const struct cg_http_message *message,
                                                   const struct cg_encoder_list *encoders) {
    const struct castgate_encoder *best = NULL;
    struct preference best_preference = {0};
    for (size_t i = 0; i < encoders->count; i++) {
        const struct castgate_encoder *encoder = encoders->plugins[i]->ops.encoder;
        struct preference preference = preference_for(message, encoder->media_type);
        if (preference.thousandths == 0 || !is_better(&preference, &best_preference)) continue;
        best = encoder;
        best_preference = preference;
    }
    return best;
}

const struct castgate_encoder *cg_accept_encoder(const struct cg_http_message *message,
                                                 const struct cg_encoder_list *encoders) {
    CG_CHECK(encoders->count > 0);
    const struct castgate_encoder *found = find_encoder(message, encoders);
    return found != NULL ? found : encoders->plugins[0]->ops.encoder;
}

bool cg_accept_names(const struct cg_http_message *message, const struct castgate_encoder *encoder) {
    struct preference preference = preference_for(message, encoder->media_type);
    return preference.specificity == EXACT && preference.thousandths > 0;
}

static bool is_encoder_type(const struct cg_encoder_list *encoders, const struct media_range *range) {
    for (size_t i = 0; i < encoders->count; i++) {
        if (cg_slice_is_nocase(range->type, encoders->plugins[i]->ops.encoder->media_type)) return true;
    }
    return false;
}

bool cg_accept_for_members(const struct cg_http_message *message, const struct cg_encoder_list *encoders,
                           struct cg_slice *media_type) {
    struct accept_iter iter = {.message = message};
    struct media_range range;
    size_t count = 0;
    if (find_encoder(message, encoders) != NULL) return false;
    while (next_range(&iter, &range)) {
        if (range.thousandths == 0 || is_encoder_type(encoders, &range)) continue;
        if (memchr(range.type.data, '*', range.type.len) != NULL) return false;
        *media_type = range.text;
        count++;
    }
    return count == 1;
}
