/* Epochs: all key material of one is made at once or not at all. */
#include "group_oscore/epoch.h"

#include <stdlib.h>
#include <utlist.h>

enum { DENIAL_US = 30 * 1000000 };

static int add_peers(struct cg_epoch *epoch, const struct cg_group_keys *keys, const char **why) {
    epoch->block = calloc(keys->peer_count + 1, sizeof *epoch->block);
    if (epoch->block == NULL) return CG_E_NO_MEMORY;
    for (size_t i = 0; i < keys->peer_count; i++) {
        struct cg_epoch_peer *entry = &epoch->block[i], *known;
        const struct cg_group_peer *peer = &keys->peers[i];
        int err =
            cg_oscore_peer_add(epoch->context, peer->kid, peer->cred, CG_OSCORE_WINDOW_UNKNOWN, &entry->peer, why);
        if (err < 0) return err;
        cg_oscore_peer_set_user(entry->peer, entry);
        entry->configured = peer->address;
        struct cg_slice fingerprint = cg_oscore_peer_fingerprint(entry->peer);
        memcpy(entry->fingerprint, fingerprint.data, sizeof entry->fingerprint);
        HASH_FIND(hh, epoch->peers, entry->fingerprint, sizeof entry->fingerprint, known);
        if (known != NULL) {
            *why = "two members have the same credential";
            return CG_E_KEY;
        }
        HASH_ADD(hh, epoch->peers, fingerprint, sizeof entry->fingerprint, entry);
        if (!CG_HASH_HAS(hh, entry)) return CG_E_NO_MEMORY;
        epoch->cold_count++;
    }
    return CG_OK;
}

int cg_epoch_new(struct cg_epoch **made, const struct cg_group_keys *keys, const char **why) {
    struct cg_epoch *epoch = calloc(1, sizeof *epoch);
    if (epoch == NULL) return CG_E_NO_MEMORY;
    epoch->references = 1;
    memcpy(epoch->digest, keys->digest, sizeof epoch->digest);
    int err = cg_oscore_context_new(&epoch->context, keys->params, why);
    if (err == CG_OK) err = cg_oscore_keys_fingerprint(epoch->context, epoch->keys);
    if (err == CG_OK) err = add_peers(epoch, keys, why);
    if (err < 0) {
        cg_epoch_unref(epoch);
        return err;
    }
    *made = epoch;
    return CG_OK;
}

int cg_epoch_set_sender(struct cg_epoch *epoch, struct cg_senders *senders, const struct cg_sender_id *id) {
    epoch->sender = cg_senders_get(senders, id);
    return epoch->sender == NULL ? CG_E_NO_MEMORY : CG_OK;
}

struct cg_epoch *cg_epoch_ref(struct cg_epoch *epoch) {
    epoch->references++;
    return epoch;
}

void cg_epoch_unref(struct cg_epoch *epoch) {
    if (epoch == NULL || --epoch->references > 0) return;
    if (epoch->all != NULL) DL_DELETE(*epoch->all, epoch);
    HASH_CLEAR(hh, epoch->peers);
    free(epoch->block);
    cg_sender_unref(epoch->sender);
    if (epoch->context != NULL) cg_oscore_context_unref(epoch->context);
    free(epoch);
}

struct cg_oscore_peer *cg_epoch_find(const struct cg_epoch *epoch, struct cg_slice fingerprint) {
    struct cg_epoch_peer *entry;
    HASH_FIND(hh, epoch->peers, fingerprint.data, fingerprint.len, entry);
    return entry == NULL ? NULL : entry->peer;
}

static struct cg_epoch_peer *entry_of(const struct cg_epoch *epoch, struct cg_slice fingerprint) {
    struct cg_oscore_peer *peer = cg_epoch_find(epoch, fingerprint);
    return peer == NULL ? NULL : cg_oscore_peer_user(peer);
}

bool cg_epoch_is_held_by(const struct cg_epoch *epoch, struct cg_slice fingerprint) {
    const struct cg_epoch_peer *entry = entry_of(epoch, fingerprint);
    return entry != NULL && entry->held != CG_KEYS_UNKNOWN;
}

bool cg_epoch_is_proven_held(const struct cg_epoch *epoch, struct cg_slice fingerprint) {
    const struct cg_epoch_peer *entry = entry_of(epoch, fingerprint);
    return entry != NULL && entry->held == CG_KEYS_PROVEN;
}

void cg_epoch_prove_held(struct cg_oscore_peer *peer) {
    struct cg_epoch_peer *entry = cg_oscore_peer_user(peer);
    entry->held = CG_KEYS_PROVEN;
}

void cg_epoch_suppose_held(const struct cg_epoch *epoch, struct cg_slice fingerprint, uint64_t now_us) {
    struct cg_epoch_peer *entry = entry_of(epoch, fingerprint);
    if (entry == NULL || entry->held != CG_KEYS_UNKNOWN) return;
    bool was_denied = entry->denied_us != 0 && now_us - entry->denied_us < DENIAL_US;
    if (!was_denied) entry->held = CG_KEYS_SUPPOSED;
}

void cg_epoch_deny_held(const struct cg_epoch *epoch, struct cg_slice fingerprint, uint64_t now_us) {
    struct cg_epoch_peer *entry = entry_of(epoch, fingerprint);
    if (entry == NULL || entry->held != CG_KEYS_SUPPOSED) return;
    entry->held = CG_KEYS_UNKNOWN;
    entry->denied_us = now_us;
}

bool cg_epoch_is_home(const struct cg_oscore_peer *peer, const struct cg_addr *from) {
    const struct cg_epoch_peer *entry = cg_oscore_peer_user(peer);
    return cg_addr_same_host(&entry->verified, from) || cg_addr_same_host(&entry->reported, from) ||
           cg_addr_same_host(&entry->configured, from);
}

void cg_epoch_note_address(struct cg_oscore_peer *peer, const struct cg_addr *from) {
    if (peer == NULL) return;
    struct cg_epoch_peer *entry = cg_oscore_peer_user(peer);
    entry->verified = *from;
}

bool cg_epoch_find_address(const struct cg_epoch *epoch, struct cg_slice fingerprint, struct cg_addr *at) {
    const struct cg_epoch_peer *entry = entry_of(epoch, fingerprint);
    if (entry == NULL) return false;
    *at = entry->verified;
    return at->family != CG_FAMILY_NONE;
}

bool cg_epoch_expect_address(const struct cg_epoch *epoch, struct cg_slice fingerprint, struct cg_addr *at) {
    const struct cg_epoch_peer *entry = entry_of(epoch, fingerprint);
    if (entry == NULL) return false;
    *at = entry->verified.family != CG_FAMILY_NONE ? entry->verified : entry->configured;
    return at->family != CG_FAMILY_NONE;
}

static void set_warmth(struct cg_epoch *epoch, struct cg_epoch_peer *entry, enum cg_warmth warmth) {
    if (entry->warmth == warmth) return;
    entry->warmth = warmth;
    if (warmth == CG_COLD) {
        epoch->cold_count++;
    } else {
        epoch->cold_count--;
    }
}

void cg_epoch_set_warmth(struct cg_epoch *epoch, struct cg_slice fingerprint, enum cg_warmth warmth) {
    struct cg_epoch_peer *entry = entry_of(epoch, fingerprint);
    if (entry != NULL) set_warmth(epoch, entry, warmth);
}

bool cg_epoch_is_cold(const struct cg_epoch *epoch, struct cg_slice fingerprint) {
    const struct cg_epoch_peer *entry = entry_of(epoch, fingerprint);
    return entry != NULL && entry->warmth == CG_COLD;
}

void cg_epoch_inherit(struct cg_epoch *epoch, const struct cg_epoch *older) {
    if (older == NULL) return;
    bool is_same_sender = cg_epoch_same_sender(epoch, older);
    for (struct cg_epoch_peer *entry = epoch->peers; entry != NULL; entry = entry->hh.next) {
        const struct cg_oscore_peer *known =
            cg_epoch_find(older, cg_slice_of(entry->fingerprint, sizeof entry->fingerprint));
        if (known == NULL) continue;
        const struct cg_epoch_peer *before = cg_oscore_peer_user(known);
        if (before->verified.family != CG_FAMILY_NONE) entry->verified = before->verified;
        if (before->reported.family != CG_FAMILY_NONE) entry->reported = before->reported;
        if (is_same_sender && before->warmth == CG_WARM) set_warmth(epoch, entry, CG_WARM);
    }
}

void cg_epoch_note_report(struct cg_oscore_peer *peer, const struct cg_addr *from) {
    struct cg_epoch_peer *entry = cg_oscore_peer_user(peer);
    entry->reported = *from;
    entry->held = CG_KEYS_PROVEN;
}

struct cg_server_account *cg_epoch_account(const struct cg_oscore_peer *peer) {
    struct cg_epoch_peer *entry = cg_oscore_peer_user(peer);
    return &entry->account;
}

/* With another kid it had another key, and what was received under that says nothing about this one. */
static void keep_window(const struct cg_epoch_peer *entry, const struct cg_epoch *older) {
    struct cg_oscore_peer *before = cg_epoch_find(older, cg_slice_of(entry->fingerprint, sizeof entry->fingerprint));
    if (before == NULL || !cg_slice_equal(cg_oscore_peer_id(before), cg_oscore_peer_id(entry->peer))) return;
    *cg_oscore_peer_window(entry->peer) = *cg_oscore_peer_window(before);
}

void cg_epoch_keep_windows(const struct cg_epoch *epoch, const struct cg_epoch *older) {
    if (epoch == NULL || older == NULL || epoch == older || !cg_epoch_same_keys(epoch, older)) return;
    for (const struct cg_epoch_peer *entry = epoch->peers; entry != NULL; entry = entry->hh.next)
        keep_window(entry, older);
}
