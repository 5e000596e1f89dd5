"""A prompted CLIP written out by hand: one picture or text at a time, head by head, token by token."""

import math

import torch


def linear(x, layer):
    rows = [(layer.weight * token).sum(dim=1) for token in x]
    return torch.stack(rows) + (0 if layer.bias is None else layer.bias)


def layer_norm(x, norm):
    rows = []
    for token in x:
        centred = token - token.sum() / len(token)
        rows.append(centred / torch.sqrt((centred**2).sum() / len(token) + norm.eps) * norm.weight + norm.bias)
    return torch.stack(rows)


def slow_layer(layer, x, norms=None, side=None, causal=False):
    """One layer on the tokens (n, width) of one picture; ``side``: (branch, a, b) of DP-CLIP."""
    norm1, norm2 = norms or (layer.layer_norm1, layer.layer_norm2)
    attention = layer.self_attn
    x1 = layer_norm(x, norm1)
    q, k, v = (linear(x1, p) for p in (attention.q_proj, attention.k_proj, attention.v_proj))
    if side is not None:
        branch, a, b = side
        hidden = torch.stack([branch.attention_in @ token for token in x1]) * (1 + a)
        more = torch.stack([branch.attention_out @ token for token in hidden]) * branch.attention_factor
        width = x.shape[1]
        q, k, v = q + more[:, :width], k + more[:, width : 2 * width], v + more[:, 2 * width :]
    heads, size = attention.num_heads, x.shape[1] // attention.num_heads
    mixed = []
    for i in range(len(x)):
        seen = slice(0, i + 1 if causal else len(x))
        parts = []
        for head in range(heads):
            at = slice(head * size, (head + 1) * size)
            powers = torch.exp((k[seen, at] * q[i, at]).sum(dim=1) / math.sqrt(size))
            parts.append((powers.unsqueeze(1) * v[seen, at]).sum(dim=0) / powers.sum())
        mixed.append(torch.cat(parts))
    x2 = x + linear(torch.stack(mixed), attention.out_proj)
    hidden = linear(layer_norm(x2, norm2), layer.mlp.fc1)
    out = x2 + linear(hidden * torch.sigmoid(1.702 * hidden), layer.mlp.fc2)
    if side is not None:
        hidden = torch.stack([branch.mlp_in @ token for token in x2]) * (1 + b)
        out = out + branch.mlp_factor * torch.stack([branch.mlp_out @ token for token in hidden])
    return out


def slow_tower(tower, x, prompts, norms=None, *, at_end=False, before_pre_norm=False, side=None, causal=False, end=0):
    """Tokens (n, width) of one picture or text -> embedding, and the plain tokens at each layer's entry and at the end.

    ``prompts``: a list of one (m, width) per layer, or None for a layer that keeps those it finds.
    """
    plain, present = x, x.new_zeros(0, x.shape[1])

    def together():
        return torch.cat((plain, present)) if at_end else torch.cat((plain[:1], present, plain[1:]))

    def apart(tokens):
        m = len(present)
        if at_end:
            return tokens[: len(tokens) - m], tokens[len(tokens) - m :]
        return torch.cat((tokens[:1], tokens[1 + m :])), tokens[1 : 1 + m]

    entered = []
    for number, layer in enumerate(tower.layers):
        if prompts[number] is not None and (number > 0 or before_pre_norm or tower.pre_norm is None):
            present = prompts[number]
        if number == 0 and tower.pre_norm is not None:
            pre = norms.pre if norms is not None else tower.pre_norm
            plain, present = apart(layer_norm(together(), pre))
            if prompts[0] is not None and not before_pre_norm:
                present = prompts[0]
        entered.append(plain)
        pair = None if norms is None else (norms.first[number], norms.second[number])
        out = slow_layer(layer, together(), pair, None if side is None else side[number], causal)
        plain, present = apart(out)
    entered.append(plain)
    post = norms.post if norms is not None else tower.post_norm
    return linear(layer_norm(plain[end : end + 1], post), tower.projection)[0], entered


def cos(a, b):
    return (a * b).sum() / torch.sqrt((a * a).sum() * (b * b).sum())


def assert_same_gradients(fast, slow, parameters, **tolerance):
    """Both scalars, and their gradients in every parameter, agree."""
    torch.testing.assert_close(fast, slow, **tolerance)
    results = [
        [torch.zeros_like(p) if g is None else g for g, p in zip(gradients, parameters, strict=True)]
        for gradients in (torch.autograd.grad(value, parameters, allow_unused=True) for value in (fast, slow))
    ]
    torch.testing.assert_close(*results, rtol=1e-6, atol=1e-9)
