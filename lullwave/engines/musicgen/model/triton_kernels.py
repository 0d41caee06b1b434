"""Triton kernels for a decoder step of at most 16 rows: every weight is read once, and rows share it.

``decoder.py`` defines what they compute. A product or an attention that would keep too few processors busy is split:
programs write parts, and the last one to arrive adds them in a fixed order, so that a result does not depend on the
order of arrival. Letters: R rows, D hidden size, H heads, d head size.
"""

import triton
import triton.language as tl

ROWS = 16  # the tensor cores' tile has this many rows; unused ones cost nothing, as reading the weights takes longer
GROUP = tl.constexpr(256)  # inputs that share a scale, as in grouped_int8
LEVELS = tl.constexpr(127)


def type_of(name: str) -> tl.dtype:
    """Triton's type called ``name``, such as float16."""
    found: tl.dtype = getattr(tl, name)
    return found


@triton.jit
def embed(tokens, positions, table, encodings, out, ENTRIES: tl.constexpr, BOOKS: tl.constexpr, D: tl.constexpr,
          BLOCK: tl.constexpr):  # fmt: skip
    """Sum the embeddings of tokens (slots, K) and of their position into both rows of each slot. Grid: (slots,)."""
    slot = tl.program_id(0)
    c = tl.arange(0, BLOCK)
    inside = c < D
    x = tl.load(encodings + tl.load(positions + slot) * D + c, mask=inside, other=0.0).to(tl.float32)
    for k in range(BOOKS):
        entry = tl.load(tokens + slot * BOOKS + k) + k * ENTRIES
        x += tl.load(table + entry * D + c, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + (2 * slot) * D + c, x, mask=inside)
    tl.store(out + (2 * slot + 1) * D + c, x, mask=inside)


@triton.jit(do_not_specialize=["rows"])
def project(
    x, norm_weight, norm_bias, weight, scales, loud, loud_weights, out, parts, arrived,
    rows, x_step, out_step,
    INPUTS: tl.constexpr, OUTPUTS: tl.constexpr, LOUD: tl.constexpr, NORM: tl.constexpr, QUANTIZED: tl.constexpr,
    GELU: tl.constexpr, ADD: tl.constexpr, SPLITS: tl.constexpr, ROWS: tl.constexpr, BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr, TYPE: tl.constexpr,
):  # fmt: skip
    """Multiply rows by (OUTPUTS, INPUTS) weights: after layer normalization (NORM), with GELU, added to ``out`` (ADD).

    Row r is read at ``x + r * x_step`` and written at ``out + r * out_step``. Weights are of TYPE, or int8 with a scale
    for each group of inputs and LOUD inputs apart (QUANTIZED). Grid: (OUTPUTS / BLOCK_N, SPLITS).
    """
    block = tl.program_id(0)
    part = tl.program_id(1)
    n = block * BLOCK_N + tl.arange(0, BLOCK_N)
    k = tl.arange(0, BLOCK_K)
    r = tl.arange(0, ROWS)
    live = (r < rows)[:, None]
    row = x + r[:, None] * x_step
    mean = tl.zeros((ROWS,), tl.float32)
    scale = tl.zeros((ROWS,), tl.float32)
    if NORM:
        for at in range(0, INPUTS, BLOCK_K):
            mean += tl.sum(tl.load(row + at + k[None, :], mask=live, other=0.0).to(tl.float32), 1)
        mean = mean / INPUTS
        for at in range(0, INPUTS, BLOCK_K):
            off = tl.load(row + at + k[None, :], mask=live, other=0.0).to(tl.float32) - mean[:, None]
            scale += tl.sum(off * off, 1)
        scale = tl.rsqrt(scale / INPUTS + 1e-5)
    total = tl.zeros((ROWS, BLOCK_N), tl.float32)
    share: tl.constexpr = INPUTS // SPLITS
    for step in range(0, share, BLOCK_K):
        at = part * share + step
        w = tl.load(weight + n[:, None] * INPUTS + (at + k)[None, :])
        values = tl.load(row + (at + k)[None, :], mask=live, other=0.0)
        if NORM:
            values = _normalized(values, mean, scale, norm_weight, norm_bias, at + k)
        product = tl.dot(values.to(TYPE), tl.trans(w.to(TYPE)), input_precision="ieee")
        if QUANTIZED:
            product *= tl.load(scales + n * ((INPUTS + GROUP - 1) // GROUP) + at // GROUP)[None, :]
        total += product
    if LOUD > 0:  # noqa: SIM102  (known when it is compiled: without loud inputs there are no pointers to them)
        if part == 0:
            j = tl.arange(0, LOUD)
            which = tl.load(loud + j)
            values = tl.load(row + which[None, :], mask=live, other=0.0)
            if NORM:
                values = _normalized(values, mean, scale, norm_weight, norm_bias, which)
            w = tl.load(loud_weights + n[:, None] * LOUD + j[None, :])
            total += tl.dot(values.to(TYPE), tl.trans(w), input_precision="ieee")
    place = out + r[:, None] * out_step + n[None, :]
    if SPLITS == 1:
        _finish(total, place, live, GELU, ADD)
    else:
        mine = parts + r[:, None] * OUTPUTS + n[None, :]
        tl.store(mine + part * ROWS * OUTPUTS, total, mask=live)
        tl.debug_barrier()  # all of this program's part is written before it says so
        if tl.atomic_add(arrived + block, 1, sem="acq_rel", scope="gpu") == SPLITS - 1:
            total = tl.zeros((ROWS, BLOCK_N), tl.float32)
            for other in range(SPLITS):
                total += tl.load(mine + other * ROWS * OUTPUTS, mask=live, other=0.0, cache_modifier=".cg")
            _finish(total, place, live, GELU, ADD)
            tl.store(arrived + block, 0)


@triton.jit
def _normalized(values, mean, scale, weight, bias, columns):
    """Layer normalization of a block (R, columns)."""
    gain = tl.load(weight + columns).to(tl.float32)[None, :] * scale[:, None]
    return (values.to(tl.float32) - mean[:, None]) * gain + tl.load(bias + columns).to(tl.float32)[None, :]


@triton.jit
def _finish(total, place, live, GELU: tl.constexpr, ADD: tl.constexpr):
    if GELU:
        total = 0.5 * total * (1.0 + tl.erf(total * 0.7071067811865476))
    if ADD:
        total += tl.load(place, mask=live, other=0.0)
    tl.store(place, total.to(place.dtype.element_ty), mask=live)


@triton.jit
def attend_to_past(
    qkv, keys, values, key_scales, value_scales, positions, out, parts, sums, arrived,
    H: tl.constexpr, SIZE: tl.constexpr, LENGTH: tl.constexpr, QUANTIZED: tl.constexpr, SPLITS: tl.constexpr,
    BLOCK_T: tl.constexpr,
):  # fmt: skip
    """Store the new keys and values of rows and attend to the past. Grid: (R · H, SPLITS).

    ``qkv`` (R, 3, H, d) → ``out`` (R, H, d); ``keys`` and ``values`` (R, H, LENGTH, d) are those of one layer, scales
    (R, H, LENGTH). Row r writes at position ``positions[r / 2]`` and attends to all positions up to it.
    """
    lane = tl.program_id(0)
    part = tl.program_id(1)
    row = lane // H
    c = tl.arange(0, SIZE)
    new = qkv + row * 3 * H * SIZE + (lane % H) * SIZE + c
    query = tl.load(new).to(tl.float32)
    position = tl.load(positions + row // 2)
    past = lane.to(tl.int64) * LENGTH
    first = part == 0
    key, key_scale = _as_stored(tl.load(new + H * SIZE), keys.dtype.element_ty, QUANTIZED)
    value, value_scale = _as_stored(tl.load(new + 2 * H * SIZE), values.dtype.element_ty, QUANTIZED)
    if part == 0:
        tl.store(keys + (past + position) * SIZE + c, key)
        tl.store(values + (past + position) * SIZE + c, value)
        if QUANTIZED:
            tl.store(key_scales + past + position, key_scale)
            tl.store(value_scales + past + position, value_scale)
    # the new position is not read back: the first part begins with it
    most = tl.where(first, tl.sum(query * (key.to(tl.float32) * key_scale)), -float("inf"))
    total = tl.where(first, 1.0, 0.0)
    seen = tl.where(first, value.to(tl.float32) * value_scale, 0.0)
    seen_before = tl.where(position == LENGTH - 1, 0, position)  # the last position is that of slots without a song
    each = tl.cdiv(tl.cdiv(seen_before, SPLITS), BLOCK_T) * BLOCK_T
    end = tl.minimum((part + 1) * each, seen_before)
    for at in range(part * each, end, BLOCK_T):
        t = at + tl.arange(0, BLOCK_T)
        here = t < end
        k = tl.load(keys + (past + t)[:, None] * SIZE + c[None, :], mask=here[:, None], other=0.0).to(tl.float32)
        v = tl.load(values + (past + t)[:, None] * SIZE + c[None, :], mask=here[:, None], other=0.0).to(tl.float32)
        scores = tl.sum(k * query[None, :], 1)
        if QUANTIZED:
            scores *= tl.load(key_scales + past + t, mask=here, other=0.0)
        scores = tl.where(here, scores, -float("inf"))
        higher = tl.maximum(most, tl.max(scores, 0))
        shares = tl.exp(scores - higher)
        fade = tl.exp(most - higher)
        total = total * fade + tl.sum(shares, 0)
        if QUANTIZED:
            shares *= tl.load(value_scales + past + t, mask=here, other=0.0)
        seen = seen * fade + tl.sum(v * shares[:, None], 0)
        most = higher
    if SPLITS > 1:
        lanes = tl.num_programs(0)
        tl.store(parts + (part * lanes + lane) * SIZE + c, seen)
        tl.store(sums + (part * lanes + lane) * 2, most)
        tl.store(sums + (part * lanes + lane) * 2 + 1, total)
        tl.debug_barrier()
        if tl.atomic_add(arrived + lane, 1, sem="acq_rel", scope="gpu") == SPLITS - 1:
            most = -float("inf")
            total = 0.0
            seen = tl.zeros((SIZE,), tl.float32)
            for other in range(SPLITS):
                found = other * lanes + lane
                its_most = tl.load(sums + found * 2, cache_modifier=".cg")
                higher = tl.maximum(most, its_most)
                fade = tl.exp(most - higher)
                weight = tl.exp(its_most - higher)
                total = total * fade + tl.load(sums + found * 2 + 1, cache_modifier=".cg") * weight
                seen = seen * fade + tl.load(parts + found * SIZE + c, cache_modifier=".cg") * weight
                most = higher
            tl.store(out + lane * SIZE + c, (seen / total).to(out.dtype.element_ty))
            tl.store(arrived + lane, 0)
    else:
        tl.store(out + lane * SIZE + c, (seen / total).to(out.dtype.element_ty))


@triton.jit
def _as_stored(x, TYPE: tl.constexpr, QUANTIZED: tl.constexpr):
    """A key or value (d,) as the cache holds it, and its scale."""
    if QUANTIZED:
        x = x.to(tl.float32)
        peak = tl.max(tl.abs(x), 0)
        levels = tl.floor(x * tl.where(peak > 0, LEVELS / peak, 0.0) + 0.5)
        return levels.to(TYPE), peak / LEVELS
    else:
        return x.to(TYPE), 1.0


@triton.jit
def attend_to_prompt(
    query, keys, values, bias, out,
    H: tl.constexpr, SIZE: tl.constexpr, ROOM: tl.constexpr, COUNT: tl.constexpr, ROW_STEP: tl.constexpr,
    BLOCK_T: tl.constexpr,
):  # fmt: skip
    """Attend to COUNT tokens of prompts. Grid: (prompted rows · H,).

    ``query`` (rows, H, d) → ``out``; ``keys`` and ``values`` (R, H, ROOM, d) of one layer and ``bias`` (R, ROOM) have
    the prompt of row i at i · ROW_STEP.
    """
    lane = tl.program_id(0)
    row = (lane // H) * ROW_STEP
    c = tl.arange(0, SIZE)
    q = tl.load(query + lane * SIZE + c).to(tl.float32)
    first = (row * H + lane % H).to(tl.int64) * ROOM
    most = -float("inf")
    total = 0.0
    seen = tl.zeros((SIZE,), tl.float32)
    for at in range(0, COUNT, BLOCK_T):
        t = at + tl.arange(0, BLOCK_T)
        k = tl.load(keys + (first + t)[:, None] * SIZE + c[None, :]).to(tl.float32)
        v = tl.load(values + (first + t)[:, None] * SIZE + c[None, :]).to(tl.float32)
        scores = tl.sum(k * q[None, :], 1) + tl.load(bias + row * ROOM + t).to(tl.float32)
        higher = tl.maximum(tl.maximum(most, tl.max(scores, 0)), -1e30)  # finite where all of a block is masked
        shares = tl.exp(scores - higher)
        fade = tl.exp(most - higher)
        total = total * fade + tl.sum(shares, 0)
        seen = seen * fade + tl.sum(v * shares[:, None], 0)
        most = higher
    tl.store(out + lane * SIZE + c, (seen / total).to(out.dtype.element_ty))
