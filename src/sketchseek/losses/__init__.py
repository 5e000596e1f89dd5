"""The losses of the three papers, one equation per file.

| symbol | file | paper |
|---|---|---|
| d | distances | all |
| L_tri | triplet | all |
| L_cls, L_class | classification | CLIP-AT, SpLIP |
| delta, L_delta | relative_distance | CLIP-AT, fine-grained |
| L_PS | patch_shuffle | CLIP-AT, fine-grained |
| mu(c+, c-) | adaptive_margin | SpLIP |
| L_cjs | jigsaw | SpLIP |
| batch-hard L_tri | batch_hard | DP-CLIP |
| w, global + 0.1 x locals | curriculum | DP-CLIP |

Every loss is a scalar, the mean over its samples, and 0 (with gradients of 0) if there are none. Features come directly
from a tower, with any length and float type: losses normalise them and compute in float32 or wider, autocast or not.

CLIP-AT: Sain et al., CVPR 2023. SpLIP: Singha et al., ECCV 2024. DP-CLIP: Gao et al., arXiv 2404.18695.
"""
