"""What each figure is, in a sentence, by the key that it carries. docs/guide/synthesis.md says why."""

PROTOCOLS = {
    "psnr": "uint8 pictures as stored in PNG, whole aligned chip at the run's size, gray or RGB as "
    "the run has them; 10 log10(255² / mean squared error over pixels and channels) of each pair, "
    "then the mean over pairs (scikit-image)",
    "ssim": "the same pairs; Gaussian window 11 x 11, sigma 1.5, data range 255, mean over pixels "
    "and channels (Wang et al. 2004, scikit-image)",
    "verification_rate": "share of right answers at a cosine threshold of highest accuracy on real "
    "pairs of the fold's training people; 2K pairs of real and drawn a test picture",
    "verification_auc": "area under the ROC curve of cosine similarity, the same pairs",
    "verification_eer": "error rate where false acceptance equals false rejection, the same pairs",
    "expression_accuracy": "share of faces in which a BASELINE recogniser sees the expression that "
    "was asked for, intensity 1",
    "memorisation": "share of faces nearer to a training picture than 95 % of training pictures "
    "(real, or redrawn by the generator) are to the nearest picture of another person, cosine "
    "distance",
    "diversity": "mean cosine distance of two pictures of different people",
    "intra_class_variance": "variance of embeddings of length 1 within a class, mean over classes",
    "kid": "unbiased MMD², within a sample over pairs of different people, with the kernel "
    "(x.y/d + 1)³ on the face network's embeddings over the "
    "root mean square of the training people's; a small sample, not comparable with published KIDs",
    "kid_floor": "the same between two halves of the training people: mean and 95 % of divisions",
}
"""Protocol key -> sentence; written into every synthesis.json."""
