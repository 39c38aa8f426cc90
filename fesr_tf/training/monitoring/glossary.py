"""The losses by their names in the paper: what each is, shown beside its curve."""

LOSSES = {
    "L_advd_z": "eq. 7: D_z's loss, which tells prior codes z from g(x); it only guesses at 2 ln 2 "
    "= 1.386",
    "L_advd_img": "eq. 5: critic's loss D(x̂) - D(x); minus it estimates the distance between drawn "
    "and real",
    "penalty": "of eq. 5: (‖∇D_img‖ - 1)² between x and x̂; near 0 when the critic is 1-Lipschitz",
    "L_cls_D_r": "eq. 9: D_img's classifier on real faces; ln K is guessing",
    "L_D_img": "eq. 23: what moves D_img",
    "L_advg_img": "eq. 4: -D_img(x̂), the critic's opinion of x̂; only its course matters",
    "L_cls_D_f": "eq. 8: does x̂ show the expression asked for? ln K is guessing",
    "L_advg_z": "eq. 6: -ln D_z(g(x)); ln 2 = 0.693 when codes cannot be told from the prior",
    "L_rec": "eq. 10: |x - x_rec| a pixel, images in [-1, 1]",
    "L_id": "eq. 12: |F_id(x) - F_id(x_rec)| a feature",
    "L_G": "eq. 22, and eq. 25 in the second stage: the weighted sum that moves G",
    "L_dist_r": "eq. 15: distance of R_ext(x) and R_ext(x^{p,r}), two real faces of a class",
    "L_dist_rf": "eq. 16: distance of R_ext(x) and R_ext(x^{p,f}), real and drawn of a class",
    "L_intra": "eq. 14: L_dist_r + L_dist_rf",
    "L_cls_R_r": "eq. 20: R's cross-entropy on real faces",
    "L_cls_R_f": "eq. 21: R's cross-entropy on x^{p,f}, for R",
    "L_cls_R_f_to_G": "eq. 21 with R's new weights: what R tells G about x^{p,f}",
    "L_R": "eq. 26: what moves R",
}
