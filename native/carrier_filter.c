/* Socket filters in classic BPF: which packets a shard's raw socket and rings take. */
#include "carrier_parts.h"

#include <errno.h>
#include <linux/if_packet.h>

/* Where a jump leads; NEXT is the instruction after it. */
enum label { NEXT, RING, SHARD, ACCEPT, DROP, LABELS };

struct assembly {
    struct filter *filter;
    uint8_t places[LABELS];
};

static void put(struct assembly *assembly, uint16_t code, uint32_t value)
{
    assembly->filter->code[assembly->filter->length++] = (struct sock_filter){code, 0, 0, value};
}

static void jump(struct assembly *assembly, uint16_t code, uint32_t value, enum label yes, enum label no)
{
    assembly->filter->code[assembly->filter->length++] =
        (struct sock_filter){(uint16_t)(BPF_JMP | code | BPF_K), (uint8_t)yes, (uint8_t)no, value};
}

static void place(struct assembly *assembly, enum label label)
{
    assembly->places[label] = (uint8_t)assembly->filter->length;
}

/* Replace labels by distances. */
static void resolve(struct assembly *assembly)
{
    for (uint16_t i = 0; i < assembly->filter->length; i++) {
        struct sock_filter *step = &assembly->filter->code[i];
        if (BPF_CLASS(step->code) != BPF_JMP)
            continue;
        step->jt = step->jt == NEXT ? 0 : (uint8_t)(assembly->places[step->jt] - i - 1);
        step->jf = step->jf == NEXT ? 0 : (uint8_t)(assembly->places[step->jf] - i - 1);
    }
}

static void ends(struct assembly *assembly)
{
    place(assembly, ACCEPT);
    put(assembly, BPF_RET | BPF_K, UINT32_MAX);
    place(assembly, DROP);
    put(assembly, BPF_RET | BPF_K, 0);
    resolve(assembly);
}

static void about(struct assembly *assembly, int what)
{
    put(assembly, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + what));
}

/* X becomes the length of the IPv4 header; what has less than 8 octets behind it goes where no points. */
static void skip_header(struct assembly *assembly, enum label no)
{
    put(assembly, BPF_LDX | BPF_B | BPF_MSH, 0);
    put(assembly, BPF_LD | BPF_H | BPF_ABS, 2); /* Total Length: the frame may be padded */
    put(assembly, BPF_ALU | BPF_SUB | BPF_X, 0);
    jump(assembly, BPF_JSET, 0x80000000u, no, NEXT);
    jump(assembly, BPF_JGE, 8, NEXT, no);
}

/* Enhanced GRE (RFC 2637 section 4.1)? */
static void version_and_protocol(struct assembly *assembly, enum label yes, enum label no)
{
    put(assembly, BPF_LD | BPF_H | BPF_IND, 0);
    put(assembly, BPF_ALU | BPF_AND | BPF_K, 7);
    jump(assembly, BPF_JEQ, 1, NEXT, no);
    put(assembly, BPF_LD | BPF_H | BPF_IND, 2);
    jump(assembly, BPF_JEQ, GRE_PPP, yes, no);
}

static void share_of(struct assembly *assembly, uint32_t shards, uint32_t shard)
{
    put(assembly, BPF_LD | BPF_H | BPF_IND, 6);
    put(assembly, BPF_ALU | BPF_MOD | BPF_K, shards);
    jump(assembly, BPF_JEQ, shard, ACCEPT, DROP);
}

void filter_raw(struct filter *filter, const uint32_t *interfaces, uint32_t count, uint32_t shards, uint32_t shard)
{
    struct assembly assembly = {.filter = filter};
    filter->length = 0;
    if (count) {
        about(&assembly, SKF_AD_IFINDEX);
        for (uint32_t i = 0; i < count; i++)
            jump(&assembly, BPF_JEQ, interfaces[i], RING, i + 1 < count ? NEXT : SHARD);
        place(&assembly, RING);
        about(&assembly, SKF_AD_PKTTYPE);
        jump(&assembly, BPF_JEQ, PACKET_HOST, NEXT, SHARD);
        skip_header(&assembly, SHARD);
        version_and_protocol(&assembly, DROP, SHARD);
    }
    place(&assembly, SHARD);
    if (shards > 1) {
        skip_header(&assembly, shard ? DROP : ACCEPT); /* too short to have a Call ID: one of us counts it */
        share_of(&assembly, shards, shard);
    }
    ends(&assembly);
}

void filter_ring(struct filter *filter, uint32_t shards, uint32_t shard)
{
    struct assembly assembly = {.filter = filter};
    filter->length = 0;
    about(&assembly, SKF_AD_PKTTYPE);
    jump(&assembly, BPF_JEQ, PACKET_HOST, NEXT, DROP);
    about(&assembly, SKF_AD_VLAN_TAG_PRESENT); /* then it is another device's */
    jump(&assembly, BPF_JEQ, 0, NEXT, DROP);
    put(&assembly, BPF_LD | BPF_B | BPF_ABS, 9);
    jump(&assembly, BPF_JEQ, GRE_PROTOCOL, NEXT, DROP);
    put(&assembly, BPF_LD | BPF_H | BPF_ABS, 6);
    jump(&assembly, BPF_JSET, 0x3FFF, ACCEPT, NEXT); /* only the first fragment has a Call ID: each shard takes all */
    skip_header(&assembly, DROP);
    version_and_protocol(&assembly, shards > 1 ? SHARD : ACCEPT, DROP);
    place(&assembly, SHARD);
    if (shards > 1)
        share_of(&assembly, shards, shard);
    ends(&assembly);
}

void filter_nothing(struct filter *filter)
{
    filter->length = 1;
    filter->code[0] = (struct sock_filter){BPF_RET | BPF_K, 0, 0, 0};
}

int filter_attach(int descriptor, const struct filter *filter)
{
    struct sock_fprog program = {filter->length, (struct sock_filter *)filter->code};
    return setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) ? -errno : 0;
}
