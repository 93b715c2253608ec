#include "app/replay/mute.h"

#include "base/container.h"

static struct cg_mute *of(struct cg_protector *protector) { return CG_CONTAINER(protector, struct cg_mute, protector); }

/* NULL: nobody known. */
static struct cg_mute_member *find(const struct cg_mute *mute, struct cg_slice identity) {
    if (mute->roster == NULL || identity.len == 0) return NULL;
    const struct cg_member *member = cg_members_of(mute->roster, identity, cg_member_hash(identity));
    return member == NULL ? NULL : &mute->members[member->number];
}

static int seal(struct cg_protector *protector, const struct cg_sealing *sealing, uint64_t job, struct cg_buf *out,
                struct cg_binding **binding, struct cg_problem *problem) {
    (void)job, (void)out, (void)problem;
    of(protector)->sealings += sealing->type == CG_NON;
    *binding = NULL;
    return CG_PENDING;
}

/* Nothing can have come. */
static int open(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job,
                struct cg_opened *opened) {
    (void)protector, (void)opening, (void)job, (void)opened;
    return CG_E_VERIFY;
}

static bool find_at(struct cg_protector *protector, struct cg_slice identity, struct cg_addr *at) {
    const struct cg_mute_member *member = find(of(protector), identity);
    if (member == NULL || member->found.family == CG_FAMILY_NONE) return false;
    *at = member->found;
    return true;
}

static bool is_cold(struct cg_protector *protector, struct cg_slice identity) {
    const struct cg_mute_member *member = find(of(protector), identity);
    return member != NULL && member->is_cold;
}

static enum cg_standing standing(struct cg_protector *protector, struct cg_slice identity) {
    const struct cg_mute_member *member = find(of(protector), identity);
    return member == NULL ? CG_STANDING_MEMBER : member->standing;
}

static void release(struct cg_protector *protector, struct cg_binding *binding) { (void)protector, (void)binding; }

static const struct cg_protector_ops ops = {.name = "mute",
                                            .seal = seal,
                                            .open = open,
                                            .find = find_at,
                                            .is_cold = is_cold,
                                            .standing = standing,
                                            .release = release};

void cg_mute_init(struct cg_mute *mute) { *mute = (struct cg_mute){.protector.ops = &ops}; }

void cg_mute_note(struct cg_mute *mute, struct cg_slice identity, const struct cg_addr *from) {
    struct cg_mute_member *member = find(mute, identity);
    if (member == NULL) return;
    *member = (struct cg_mute_member){.found = *from, .standing = CG_STANDING_PROVEN};
}
