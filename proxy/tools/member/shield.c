/* The members' keys. The hard thing: a member's sequence numbers must not repeat when the program is started again with
 * the same keys, so they come in blocks from a file (numbers.h), and every message has one. And keys change while
 * requests are on their way: a member has two epochs then, answers under the later and opens under both. */
#include "tools/member/shield.h"
#include "tools/member/identity.h"
#include "tools/member/numbers.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "oscore/oscore.h"

enum { ROOM = 2 * 65536 };

struct shielded {
    struct cg_identity latest, former; /* the second until the group is known to use the first */
    struct cg_identity false_one;      /* for lies only */
    uint64_t number, end;              /* the next one, and behind the last that it may have */
};

/* One member's keys that were read again. */
struct renewal {
    bool found;
    struct cg_identity latest, false_one;
};

struct cg_shield {
    struct shielded *members; /* owned */
    struct cg_shield_options options;
    struct cg_addr address;
    struct cg_numbers numbers; /* the latest block */
    uint8_t plain[ROOM];
};

/* --- identities --- */

/* A Sender ID of the group's usual length that nobody has. */
static bool make_strange_id(const struct cg_security_group *keys, struct cg_slice like, uint8_t id[CG_OSCORE_ID_MAX]) {
    memset(id, 0xee, CG_OSCORE_ID_MAX);
    for (size_t i = 0; i <= keys->peer_count; i++) {
        struct cg_slice taken = i == keys->peer_count ? keys->self.id : keys->peers[i].id;
        if (cg_slice_equal(taken, cg_slice_of(id, like.len))) return false;
    }
    return like.len > 0;
}

static int make_false_identity(struct cg_identity *identity, const struct cg_security_group *keys, size_t index,
                               enum cg_shield_lie lie, const char **why) {
    const struct cg_security_party *owner = cg_identity_owner(keys, index);
    struct cg_slice id = owner->id;
    uint8_t strange[CG_OSCORE_ID_MAX];
    if (lie == CG_SHIELD_HONEST) return CG_OK;
    if (lie == CG_SHIELD_IMPOSTOR) id = keys->peers[(index + 1) % keys->peer_count].id;
    if (lie == CG_SHIELD_STRANGER) {
        *why = "no Sender ID is free for a stranger";
        if (!make_strange_id(keys, owner->id, strange)) return CG_E_KEY;
        id = cg_slice_of(strange, owner->id.len);
    }
    return cg_identity_init(identity, keys, owner, id, CG_OSCORE_WINDOW_NEW, why);
}

static enum cg_oscore_window_state window_of(const struct cg_shield *shield, const struct cg_security_group *keys) {
    bool lost = shield->options.lost || keys->file == CG_GROUP_FILE_MEMBER;
    return lost ? CG_OSCORE_WINDOW_LOST : CG_OSCORE_WINDOW_NEW;
}

/* Both identities of the file's owner `index`, or neither. */
static int make_identities(const struct cg_shield *shield, const struct cg_security_group *keys, size_t index,
                           struct cg_identity *own, struct cg_identity *false_one, const char **why) {
    const struct cg_security_party *owner = cg_identity_owner(keys, index);
    int err = cg_identity_init(own, keys, owner, owner->id, window_of(shield, keys), why);
    if (err == CG_OK) err = make_false_identity(false_one, keys, index, shield->options.lie, why);
    if (err < 0) cg_identity_fini(own);
    return err;
}

/* --- loading --- */

static struct cg_security_group *load_keys(const struct cg_shield_options *options, char *error, size_t error_cap) {
    struct cg_security_group *keys = NULL;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    if (cg_security_group_load(options->keys, CG_GROUP_FILE_OF_MEMBERS, options->may_be_shared, &keys, &mistakes) < 0) {
        const struct cg_mistake *first = mistakes.first;
        snprintf(error, error_cap, "%s %s: %s", options->keys, first == NULL ? "" : first->pointer,
                 first == NULL ? "no memory" : first->message);
    }
    cg_mistakes_fini(&mistakes);
    return keys;
}

/* castgate-keys names members in the gateway's file alone. */
static bool is_gateways(const struct cg_security_group *keys) {
    if (keys->file != CG_GROUP_FILE_MEMBER) return false;
    for (size_t i = 0; i < keys->peer_count; i++)
        if (keys->peers[i].name != NULL || keys->peers[i].address.family != CG_FAMILY_NONE) return true;
    return false;
}

/* Whether the file is one for such members. */
static int check_file(const struct cg_shield_options *options, const struct cg_security_group *keys, char *error,
                      size_t error_cap) {
    const char *file = options->keys;
    bool single = keys->file == CG_GROUP_FILE_MEMBER;
    if (is_gateways(keys))
        snprintf(error, error_cap,
                 "%s is the gateway's: two programs with one key repeat its sequence numbers. A member's file is "
                 "member-ID.json",
                 file);
    else if (single && options->count > 1)
        snprintf(error, error_cap, "%s is one member's file: --count %u needs the whole group's, group.json", file,
                 (unsigned)options->count);
    else if (single && options->lie == CG_SHIELD_IMPOSTOR)
        snprintf(error, error_cap, "%s is one member's file: --misbehave impostor needs the whole group's, group.json",
                 file);
    else
        return CG_OK;
    return CG_E_KEY;
}

static int check_count(const struct cg_shield_options *options, const struct cg_security_group *keys, char *error,
                       size_t error_cap) {
    size_t owners = cg_identity_owner_count(keys);
    if (owners >= options->count) return CG_OK;
    snprintf(error, error_cap, "the group file has %zu members, --count asks for %u", owners, (unsigned)options->count);
    return CG_E_KEY;
}

static int load_members(struct cg_shield *shield, const struct cg_security_group *keys, char *error, size_t error_cap) {
    for (uint32_t i = 0; i < shield->options.count; i++) {
        struct shielded *member = &shield->members[i];
        const char *why = "no memory";
        int err = make_identities(shield, keys, i, &member->latest, &member->false_one, &why);
        if (err == CG_OK) continue;
        snprintf(error, error_cap, "member %u: %s", (unsigned)i, why);
        return err;
    }
    if (keys->file == CG_GROUP_FILE_MEMBER) shield->address = keys->self.address;
    return cg_numbers_reserve(&shield->numbers, time(NULL), error, error_cap);
}

static struct cg_shield *new_shield(const struct cg_shield_options *options) {
    struct cg_shield *shield = calloc(1, sizeof *shield);
    if (shield == NULL) return NULL;
    shield->options = *options;
    shield->numbers.file = options->numbers;
    shield->members = calloc(options->count, sizeof *shield->members);
    if (shield->members != NULL) return shield;
    free(shield);
    return NULL;
}

static struct cg_shield *make_shield(const struct cg_shield_options *options, const struct cg_security_group *keys,
                                     char *error, size_t error_cap) {
    if (check_file(options, keys, error, error_cap) < 0 || check_count(options, keys, error, error_cap) < 0)
        return NULL;
    struct cg_shield *shield = new_shield(options);
    if (shield == NULL) {
        snprintf(error, error_cap, "no memory for %u members", (unsigned)options->count);
    } else if (load_members(shield, keys, error, error_cap) < 0) {
        cg_shield_free(shield);
        shield = NULL;
    }
    return shield;
}

struct cg_shield *cg_shield_load(const struct cg_shield_options *options, char *error, size_t error_cap) {
    struct cg_security_group *keys = load_keys(options, error, error_cap);
    if (keys == NULL) return NULL;
    struct cg_shield *shield = make_shield(options, keys, error, error_cap);
    cg_security_group_free(keys);
    return shield;
}

void cg_shield_free(struct cg_shield *shield) {
    if (shield == NULL) return;
    for (uint32_t i = 0; i < shield->options.count; i++) {
        cg_identity_fini(&shield->members[i].latest);
        cg_identity_fini(&shield->members[i].former);
        cg_identity_fini(&shield->members[i].false_one);
    }
    free(shield->members);
    free(shield);
}

struct cg_addr cg_shield_address(const struct cg_shield *shield) {
    return shield->address;
}

/* --- loading again --- */

/* Whose place in the file is the member's; false: it is not in it any more. */
static bool find_owner(const struct cg_security_group *keys, const struct cg_identity *identity, size_t *index) {
    struct cg_slice id = cg_oscore_sender_id(identity->context);
    size_t count = cg_identity_owner_count(keys);
    *index = 0;
    if (keys->file == CG_GROUP_FILE_MEMBER) return true; /* it may have another Sender ID now */
    while (*index < count && !cg_slice_equal(cg_identity_owner(keys, *index)->id, id)) ++*index;
    return *index < count;
}

static int renew(const struct cg_shield *shield, const struct cg_security_group *keys, uint32_t member,
                 struct renewal *renewal, char *error, size_t error_cap) {
    const char *why = "no memory";
    size_t index;
    if (!find_owner(keys, &shield->members[member].latest, &index)) return CG_OK;
    int err = make_identities(shield, keys, index, &renewal->latest, &renewal->false_one, &why);
    renewal->found = err == CG_OK;
    if (err < 0) snprintf(error, error_cap, "member %u: %s", (unsigned)member, why);
    return err;
}

/* Under the same keys what was received stays received, though others have joined or left. */
static void keep_windows(const struct cg_identity *from, struct cg_identity *to) {
    uint8_t a[32], b[32];
    if (cg_oscore_keys_fingerprint(from->context, a) < 0 || cg_oscore_keys_fingerprint(to->context, b) < 0 ||
        sodium_memcmp(a, b, sizeof a) != 0)
        return;
    for (size_t i = 0; i < to->requester_count; i++) {
        struct cg_oscore_peer *peer = to->requesters[i];
        struct cg_oscore_peer *before = cg_identity_requester(from, cg_oscore_peer_fingerprint(peer));
        if (before != NULL && cg_slice_equal(cg_oscore_peer_id(before), cg_oscore_peer_id(peer)))
            *cg_oscore_peer_window(peer) = *cg_oscore_peer_window(before);
    }
}

static void adopt(struct shielded *member, struct renewal *renewal) {
    keep_windows(&member->latest, &renewal->latest);
    cg_identity_fini(&member->former);
    cg_identity_fini(&member->false_one);
    member->former = member->latest;
    member->latest = renewal->latest;
    member->false_one = renewal->false_one;
    cg_identity_forget_strangers(&member->former, &member->latest);
}

static void drop(struct renewal *renewal) {
    cg_identity_fini(&renewal->latest);
    cg_identity_fini(&renewal->false_one);
}

static int reload(struct cg_shield *shield, const struct cg_security_group *keys, struct renewal *renewals, char *error,
                  size_t error_cap) {
    uint32_t count = shield->options.count;
    int err = CG_OK;
    for (uint32_t i = 0; err == CG_OK && i < count; i++) err = renew(shield, keys, i, &renewals[i], error, error_cap);
    for (uint32_t i = 0; i < count; i++) {
        if (err < 0)
            drop(&renewals[i]);
        else if (renewals[i].found)
            adopt(&shield->members[i], &renewals[i]);
    }
    return err;
}

int cg_shield_reload(struct cg_shield *shield, char *error, size_t error_cap) {
    struct cg_security_group *keys = load_keys(&shield->options, error, error_cap);
    if (keys == NULL) return CG_E_KEY;
    int err = check_file(&shield->options, keys, error, error_cap);
    struct renewal *renewals = err < 0 ? NULL : calloc(shield->options.count, sizeof *renewals);
    if (err == CG_OK && renewals == NULL) {
        snprintf(error, error_cap, "no memory");
        err = CG_E_NO_MEMORY;
    }
    if (err == CG_OK) err = reload(shield, keys, renewals, error, error_cap);
    free(renewals);
    cg_security_group_free(keys);
    return err;
}

void cg_shield_settle(struct cg_shield *shield, uint32_t member, const struct cg_shield_request *request) {
    if (request->under_latest) cg_identity_fini(&shield->members[member].former);
}

/* --- requests --- */

static int open_under(struct cg_shield *shield, const struct cg_identity *identity, const struct cg_msg *sealed,
                      struct cg_msg *plain, struct cg_shield_request *request) {
    struct cg_oscore_opened opened = {0};
    int err = cg_oscore_open_request(identity->context, sealed, shield->plain, sizeof shield->plain, plain, &opened);
    request->binding = opened.binding;
    request->challenge = err == CG_E_REPLAY && opened.challenge;
    if (err == CG_OK || request->challenge)
        memcpy(request->requester, cg_oscore_peer_fingerprint(opened.peer).data, sizeof request->requester);
    return err;
}

int cg_shield_open(struct cg_shield *shield, uint32_t member, const struct cg_msg *sealed, struct cg_msg *plain,
                   struct cg_shield_request *request) {
    const struct shielded *self = &shield->members[member];
    *request = (struct cg_shield_request){.under_latest = true};
    int err = open_under(shield, &self->latest, sealed, plain, request);
    if (err != CG_E_UNAUTHORIZED || self->former.context == NULL) return err;
    request->under_latest = false;
    return open_under(shield, &self->former, sealed, plain, request);
}

static struct cg_oscore_peer *requester_in(const struct cg_identity *identity,
                                           const struct cg_shield_request *request) {
    return cg_identity_requester(identity, cg_slice_of(request->requester, sizeof request->requester));
}

/* --- answers --- */

/* In the mode that was asked for, as far as the group has it. CG_E_PROTECT: who asked is not in the group any more. */
static int choose_mode(const struct cg_shield *shield, const struct cg_identity *as,
                       const struct cg_shield_request *request, struct cg_oscore_reply *reply) {
    struct cg_oscore_peer *requester = requester_in(as, request);
    bool pairwise = shield->options.mode == CG_SHIELD_PAIRWISE || !cg_oscore_has_group_mode(as->context);
    if (requester == NULL) return CG_E_PROTECT;
    if (pairwise && cg_oscore_has_pairwise_mode(as->context)) reply->to = requester;
    return CG_OK;
}

/* The members use up a block at their own pace; whoever is first at its end gets the next one. */
static int next_block(struct cg_shield *shield, struct shielded *member) {
    char error[512];
    if (member->end == shield->numbers.end &&
        cg_numbers_reserve(&shield->numbers, time(NULL), error, sizeof error) != CG_OK) {
        (void)fprintf(stderr, "castgate-member: no answer: %s\n", error);
        return CG_E_STORE;
    }
    member->number = shield->numbers.first;
    member->end = shield->numbers.end;
    return CG_OK;
}

static int take_number(struct cg_shield *shield, struct shielded *member, uint64_t *number) {
    int err = member->number == member->end ? next_block(shield, member) : CG_OK;
    if (err == CG_OK) *number = member->number++;
    return err;
}

static int seal(struct cg_shield *shield, struct shielded *member, struct cg_shield_request *request,
                const struct cg_msg *plain, uint8_t *to, size_t cap) {
    struct cg_oscore_reply reply = {.has_number = true};
    int err = choose_mode(shield, &member->latest, request, &reply);
    if (err == CG_OK) err = take_number(shield, member, &reply.number);
    if (err < 0) return err;
    return cg_oscore_seal_response(member->latest.context, &reply, plain, to, cap, &request->binding);
}

int cg_shield_lie(struct cg_shield *shield, uint32_t member, const struct cg_shield_request *request,
                  struct cg_slice plain, uint8_t *to, size_t cap) {
    struct shielded *self = &shield->members[member];
    struct cg_oscore_binding binding = request->binding;
    struct cg_oscore_reply reply = {.has_number = true, .with_kid = true};
    struct cg_msg msg;
    int err = cg_msg_parse(&msg, plain);
    if (err == CG_OK) err = choose_mode(shield, &self->false_one, request, &reply);
    if (err < 0) return err;
    if (shield->options.lie == CG_SHIELD_TWIN) {
        reply.number = self->number - 1;
    } else {
        err = take_number(shield, self, &reply.number);
    }
    if (err < 0) return err;
    return cg_oscore_seal_response(self->false_one.context, &reply, &msg, to, cap, &binding);
}

int cg_shield_seal(struct cg_shield *shield, uint32_t member, struct cg_shield_request *request, struct cg_slice plain,
                   uint8_t *to, size_t cap) {
    struct cg_msg msg;
    int err = cg_msg_parse(&msg, plain);
    return err < 0 ? err : seal(shield, &shield->members[member], request, &msg, to, cap);
}

int cg_shield_challenge(struct cg_shield *shield, uint32_t member, struct cg_shield_request *request, enum cg_type type,
                        uint16_t mid, struct cg_token token, uint8_t *to, size_t cap) {
    uint8_t storage[CG_OSCORE_CHALLENGE_LEN];
    struct cg_msg plain = {.type = (uint8_t)type, .mid = mid, .token = token};
    struct shielded *self = &shield->members[member];
    struct cg_oscore_peer *requester = requester_in(request->under_latest ? &self->latest : &self->former, request);
    if (requester == NULL) return CG_E_PROTECT;
    cg_oscore_challenge(requester, storage, &plain);
    return seal(shield, self, request, &plain, to, cap);
}
