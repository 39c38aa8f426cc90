"""Algorithm 1 in PyTorch: one step of FESGAN (stage 1) and one of FESR (stage 2).

In each, D_z, D_img, (R) and G are updated in this order, and each update sees those before it.
G moves last, so all of its pictures of a step are drawn at once; F_id and R share the frozen
trunk's maps.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fesr_tf.config import Config
from tests.support.torch_port.draws import Batch, Draws
from tests.support.torch_port.losses import (
    code_adversarial,
    distance,
    expression_code,
    gradient_penalty,
    l1,
)
from tests.support.torch_port.networks import (
    CodeCritic,
    Decoder,
    Encoder,
    FaceNetwork,
    ImageCritic,
    Recognizer,
)

Losses = dict[str, Tensor]
"""Scalars by the paper's names, detached and not yet read, so that a device is not waited for."""


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One update of the optimizer's parameters; no other parameter's gradient is computed."""
    optimizer.zero_grad()
    loss.backward(inputs=optimizer.param_groups[0]["params"])
    optimizer.step()


class JointTraining(nn.Module):
    """The networks, their optimizers and the two steps. `identity` is F_id, frozen; `trunk`
    the channels and the side of its trunk's maps."""

    def __init__(
        self, config: Config, num_classes: int, identity: FaceNetwork, trunk: tuple[int, int]
    ):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config, num_classes)
        self.image_critic = ImageCritic(config, num_classes)
        self.code_critic = CodeCritic(config)
        self.recognizer = Recognizer(config, num_classes, trunk)
        self.face_network = identity

    def build_optimizers(self) -> None:
        """Section IV-B. After the parameters have their final type and device."""

        def adam(*networks: nn.Module) -> torch.optim.Adam:
            parameters = [each for network in networks for each in network.parameters()]
            config = self.config
            return torch.optim.Adam(
                parameters, config.learning_rate, betas=(config.beta1, config.beta2)
            )

        self.generator_optimizer = adam(self.encoder, self.decoder)
        self.image_critic_optimizer = adam(self.image_critic)
        self.code_critic_optimizer = adam(self.code_critic)
        self.recognizer_optimizer = adam(self.recognizer)

    def stage1_step(self, batch: Batch, draws: Draws) -> Losses:
        """One iteration while t < P_pre."""
        image, _, label = batch
        code = self.encoder(image)
        translated, reconstructed = self.decoder(
            torch.cat([code, code]),
            torch.cat(
                [
                    expression_code(draws.target_label, draws.target_intensity),
                    expression_code(label, draws.own_intensity),
                ]
            ),
        ).chunk(2)
        losses = self.update_code_critic(code.detach(), draws)
        losses |= self.update_image_critic(image, translated.detach(), label, draws)
        terms = self.generator_terms(image, code, translated, reconstructed, draws)
        if self.config.lambda3:
            with torch.no_grad():
                real_map = self.face_network.trunk(image)
            drawn_map = self.face_network.trunk(reconstructed)
            terms["L_id"] = self.config.lambda3, self.identity_loss(real_map, drawn_map)
        return losses | self.update_generator(terms)

    def stage2_step(self, batch: Batch, draws: Draws) -> Losses:
        """One iteration from t = P_pre on."""
        if self.config.synthetic == "none":
            return self.real_only_step(batch, draws)
        image, positive, label = batch
        with torch.no_grad():
            real_maps = self.face_network.trunk(torch.cat([image, positive]))
        code = self.encoder(image)
        # x^{p,f}: a new identity of the same class, or (FESR_Real) this one with any class.
        new_code, new_label = draws.prior_code, label
        if self.config.synthetic == "encoder":
            new_code, new_label = code, draws.synthetic_label
        translated, reconstructed, synthetic = self.decoder(
            torch.cat([code, code, new_code]),
            torch.cat(
                [
                    expression_code(draws.target_label, draws.target_intensity),
                    expression_code(label, draws.own_intensity),
                    expression_code(new_label, draws.synthetic_intensity),
                ]
            ),
        ).chunk(3)
        losses = self.update_code_critic(code.detach(), draws)
        losses |= self.update_image_critic(image, translated.detach(), label, draws)
        if self.config.lambda3:
            drawn = torch.cat([synthetic, reconstructed])
            synthetic_map, reconstructed_map = self.face_network.trunk(drawn).chunk(2)
        else:
            synthetic_map = self.face_network.trunk(synthetic)
        maps = torch.cat([real_maps, synthetic_map.detach()])
        losses |= self.update_recognizer(maps, label, new_label, draws)
        terms = self.generator_terms(image, code, translated, reconstructed, draws)
        if self.config.lambda3:
            real_map = real_maps[: len(image)]
            terms["L_id"] = self.config.lambda3, self.identity_loss(real_map, reconstructed_map)
        if self.config.recognizer_guides_generator:
            features = self.drop(self.recognizer.extract(synthetic_map), draws.keep[3])
            loss = F.cross_entropy(self.recognizer.classify(features), new_label)
            terms["L_cls_R_f_to_G"] = self.config.lambda4, loss
        return losses | self.update_generator(terms)

    def real_only_step(self, batch: Batch, draws: Draws) -> Losses:
        """BASELINE: R alone on real images."""
        with torch.no_grad():
            trunk = self.face_network.trunk(batch.image)
        features = self.drop(self.recognizer.extract(trunk), draws.keep[0])
        loss = F.cross_entropy(self.recognizer.classify(features), batch.label)
        descend(self.recognizer_optimizer, loss)
        return {"L_cls_R_r": loss.detach(), "L_R": loss.detach()}

    def update_code_critic(self, code: Tensor, draws: Draws) -> Losses:
        """D_z learns to tell z from g(x), eq. 7 and 24."""
        if not self.config.code_critic:
            return {}
        drawn, encoded = self.code_critic(torch.cat([draws.prior_code, code])).chunk(2)
        loss = code_adversarial(drawn, prior=True) + code_adversarial(encoded, prior=False)
        descend(self.code_critic_optimizer, loss)
        return {"L_advd_z": loss.detach()}

    def update_image_critic(
        self, image: Tensor, translated: Tensor, label: Tensor, draws: Draws
    ) -> Losses:
        """D_img learns realness (eq. 5, with the penalty) and the classes of real images."""
        config, critic, losses = self.config, self.image_critic, {}
        if not config.image_critic:
            return losses
        for alpha in draws.alpha:
            features = critic.features(torch.cat([image, translated]))
            real, fake = critic.adversarial(features).chunk(2)
            losses["L_advd_img"] = fake.mean() - real.mean()
            losses["penalty"] = gradient_penalty(critic.realness, image, translated, alpha)
            wasserstein = losses["L_advd_img"] + config.penalty_weight * losses["penalty"]
            losses["L_D_img"] = config.lambda5 * wasserstein
            if config.auxiliary_classifier:
                logits = critic.classifier(features[: len(image)])
                losses["L_cls_D_r"] = F.cross_entropy(logits, label)
                losses["L_D_img"] = losses["L_D_img"] + losses["L_cls_D_r"]
            descend(self.image_critic_optimizer, losses["L_D_img"])
        return {name: loss.detach() for name, loss in losses.items()}

    def update_recognizer(
        self, maps: Tensor, label: Tensor, synthetic_label: Tensor, draws: Draws
    ) -> Losses:
        """R learns the classes and to keep them together, eq. 14 to 21 and 26; `maps` are the
        trunk's of x, x^{p,r} and x^{p,f}, one after the other."""
        config = self.config
        plain = self.recognizer.extract(maps)
        dropped = self.drop(plain, draws.keep[:3].flatten(0, 1))
        compared = plain if config.intra_features == "pre_dropout" else dropped
        if config.intra_features == "shared_mask":
            compared = self.drop(plain, draws.keep[:1].tile(3, 1, 1).flatten(0, 1))
        real, positive, synthetic = compared.chunk(3)
        real_real = distance(real, positive, config.distance_squared)
        # RDBP: the real features lead, the synthetic ones follow.
        leader = real.detach() if config.rdbp else real
        real_fake = distance(leader, synthetic, config.distance_squared)
        first, _, last = dropped.chunk(3)
        on_real, on_fake = self.recognizer.classify(torch.cat([first, last])).chunk(2)
        losses = {
            "L_dist_r": real_real,
            "L_dist_rf": real_fake,
            "L_intra": real_real + real_fake,
            "L_cls_R_r": F.cross_entropy(on_real, label),
            "L_cls_R_f": F.cross_entropy(on_fake, synthetic_label),
        }
        classes = losses["L_cls_R_r"] + losses["L_cls_R_f"]
        losses["L_R"] = config.lambda6 * losses["L_intra"] + classes
        descend(self.recognizer_optimizer, losses["L_R"])
        return {name: loss.detach() for name, loss in losses.items()}

    def generator_terms(
        self, image: Tensor, code: Tensor, translated: Tensor, reconstructed: Tensor, draws: Draws
    ) -> dict[str, tuple[float, Tensor]]:
        """The terms of eq. 22 with their weights, L_id apart."""
        config, terms = self.config, {}
        if config.image_critic:
            features = self.image_critic.features(translated)
            terms["L_advg_img"] = 1.0, -self.image_critic.adversarial(features).mean()
            if config.auxiliary_classifier:
                logits = self.image_critic.classifier(features)
                terms["L_cls_D_f"] = config.lambda4, F.cross_entropy(logits, draws.target_label)
        if config.code_critic:
            loss = code_adversarial(self.code_critic(code), prior=True)
            terms["L_advg_z"] = config.lambda1, loss
        if config.lambda2:
            terms["L_rec"] = config.lambda2, l1(reconstructed, image, config.l1_reduction)
        return terms

    def update_generator(self, terms: dict[str, tuple[float, Tensor]]) -> Losses:
        """L_G moves G_enc and G_dec; the other networks are constants."""
        loss = sum(weight * term for weight, term in terms.values())
        descend(self.generator_optimizer, loss)
        return {name: term.detach() for name, (_, term) in terms.items()} | {"L_G": loss.detach()}

    def identity_loss(self, real_map: Tensor, drawn_map: Tensor) -> Tensor:
        """L_id, eq. 12, from the trunk's maps of x and x_rec."""
        with torch.no_grad():
            real = self.face_network.embed_trunk(real_map)
        return l1(self.face_network.embed_trunk(drawn_map), real, self.config.l1_reduction)

    def drop(self, features: Tensor, keep: Tensor) -> Tensor:
        """Dropout with a given mask."""
        return features * keep / (1 - self.config.dropout)
