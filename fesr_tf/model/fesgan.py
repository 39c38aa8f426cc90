"""FESGAN: the generator, its two critics, and the first stage of Algorithm 1."""

from __future__ import annotations

import itertools

import tensorflow as tf
import tf_keras as keras

from fesr_tf.config import Config
from fesr_tf.model import collapse_signals, critic_augmentation, losses
from fesr_tf.model.batch import Batch, More, require, unpack
from fesr_tf.model.details import keep_details
from fesr_tf.model.expression_codes import Draws, draw, expression_code
from fesr_tf.model.frozen_features import FrozenPasses
from fesr_tf.model.optimizers import adam
from fesr_tf.networks import replicas
from fesr_tf.networks.code_critic import CodeCritic
from fesr_tf.networks.code_prior import CodePrior
from fesr_tf.networks.decoder import Decoder
from fesr_tf.networks.encoder import Encoder
from fesr_tf.networks.face_networks import FaceNetwork
from fesr_tf.networks.image_critic import ImageCritic

Scalars = dict[str, tf.Tensor]


def minimise(
    optimizer: keras.optimizers.Optimizer,
    tape: tf.GradientTape,
    loss: tf.Tensor,
    variables: list[tf.Variable],
    *more: tuple[keras.optimizers.Optimizer, list[tf.Variable]],
) -> tf.Tensor:
    """One update of `variables`; a variable without a gradient is unchanged.

    more: further variables to update by the same loss, each list with its own optimizer. With
    several devices the update follows the mean of their losses. Returns the global norm of this
    device's gradients, which is not finite where any of them is not.
    """
    share = tf.ones_like(loss) / replicas.count()  # apply_gradients sums over the devices
    updates = [(optimizer, variables), *more]
    every = [variable for _, own in updates for variable in own]
    gradients = tape.gradient(loss, every, output_gradients=share)
    left = iter(gradients)
    for each, own in updates:
        pairs = zip(itertools.islice(left, len(own)), own, strict=True)
        each.apply_gradients([pair for pair in pairs if pair[0] is not None])
    return tf.linalg.global_norm(gradients) * replicas.count()


def running(config: Config) -> dict[str, object]:
    """Options of `keras.Model.compile`."""
    return {
        "steps_per_execution": config.steps_per_execution,
        "jit_compile": config.jit_compile or None,
    }


class FESGAN(keras.Model):
    """G = (G_enc, G_dec), D_img and D_z (Section III-B).

    Images are float32 (B, S, S, c) in [-1, 1], labels (B,) int32 in 0..K-1. `train_step` takes
    the batch (image, positive, label) of `fesr_tf.data` and ignores the positive. A fourth member,
    `fesr_tf.model.batch.More`, may hold the cached features of the real images.
    """

    def __init__(self, config: Config, num_classes: int, face_network: FaceNetwork):
        super().__init__(name="FESGAN")
        self.config = config
        self.num_classes = num_classes
        self.face_network = face_network  # F_id, frozen
        self.frozen = FrozenPasses(face_network, config)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.image_critic = ImageCritic(config, num_classes)
        self.code_critic = CodeCritic(config)
        self.prior = CodePrior(config.code_size) if config.prior == "fitted" else None
        # Names the class of x, which `details` needs in use: image -> logits (B, K). A function,
        # since Keras would take a network that is put here for one of its own.
        self.classifier = lambda image: self.image_critic(image)[1]
        only_one = {"aggregation": tf.VariableAggregation.ONLY_FIRST_REPLICA}
        # t of Algorithm 1: seeds the draws and is saved in every checkpoint.
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step", **only_one)
        image = tf.zeros((1, config.image_size, config.image_size, config.channels))
        self((image, tf.zeros((1, num_classes))))
        self.image_critic(image)
        self.code_critic(tf.zeros((1, config.code_size)))

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """x_hat (eq. 3) of the image, inputs[0], with the expression code u(y), inputs[1]."""
        image, expression = inputs
        return self.express(image, self.encode(image), expression)

    def express(self, image: tf.Tensor, face_code: tf.Tensor, expression: tf.Tensor) -> tf.Tensor:
        """x_hat of images whose codes g(x) are known; what `details` keeps is of the class that
        `classifier` names."""
        drawn = self.decode(face_code, expression)
        if not self.config.details:
            return drawn
        label = tf.argmax(self.classifier(image), axis=-1)
        own = self.decode(face_code, expression_code(label, 1.0, self.num_classes))
        return keep_details(image, own, drawn, self.config.details)

    def encode(self, image: tf.Tensor) -> tf.Tensor:
        """g(x), eq. 1: (B, n) in [-1, 1]."""
        return self.encoder(image)

    def decode(self, face_code: tf.Tensor, expression: tf.Tensor) -> tf.Tensor:
        """G_dec([face_code, expression]): an image in [-1, 1]."""
        return self.decoder((face_code, expression))

    def new_codes(self, z: tf.Tensor) -> tf.Tensor:
        """The codes of new faces, (B, n) in [-1, 1], from z ~ U(-1, 1): z itself (eq. 13), or by
        the fitted prior."""
        return z if self.prior is None else self.prior(z)

    @property
    def generator_variables(self) -> list[tf.Variable]:
        """W_G: the encoder's and the decoder's weights."""
        return self.encoder.trainable_variables + self.decoder.trainable_variables

    def compile(self, **kwargs) -> None:
        """Creates one Adam per network, with all state, before the first step."""
        super().compile(**running(self.config) | kwargs)
        self.distribute_reduction_method = "first"  # train_step gives means over all devices
        self.generator_optimizer = adam(self.config, averages=True)
        self.generator_optimizer.build(self.generator_variables)
        self.image_critic_optimizer = adam(self.config)
        self.image_critic_optimizer.build(self.image_critic.trainable_variables)
        self.code_critic_optimizer = adam(self.config)
        self.code_critic_optimizer.build(self.code_critic.trainable_variables)

    # AutoGraph would first rewrite all of tf_keras (a minute), and no `if` or loop here depends
    # on a tensor.
    @tf.autograph.experimental.do_not_convert
    def train_step(self, batch: Batch) -> Scalars:
        """One iteration of Algorithm 1 for t < P_pre. Returns every loss by name."""
        image, _, label, more = unpack(batch, self.config)
        require(more, self.config, recognizer=False)
        draws = self.draw(label, more)
        with tf.GradientTape() as tape:
            face_code = self.encode(image)  # line 3
            with tape.stop_recording():
                logs = self.update_code_critic(face_code, draws)  # lines 5, 6
            translated = self.translate(image, label, face_code, draws)  # line 7
            with tape.stop_recording():
                logs |= self.update_image_critic(image, translated, label, draws)  # lines 8, 9
            reconstructed = self.reconstruct(face_code, label, draws)  # line 10
            identities = self.identities(image, reconstructed, more)
            terms = self.generator_terms(
                image, identities, face_code, translated, reconstructed, draws
            )
            loss = tf.add_n([weight * term for weight, term in terms.values()])  # line 12, eq. 22
        logs |= {name: term for name, (_, term) in terms.items()} | {"L_G": loss}
        logs |= self.update_generator(tape, loss)  # line 19
        logs["signals/spread_translated"] = collapse_signals.spread(translated, image)
        self.step.assign_add(1)  # line 20
        return replicas.mean(logs)

    def draw(self, label: tf.Tensor, more: More | None = None) -> Draws:
        """z, y' and every v of this iteration (line 4 and eq. 2); with `own_intensity: data` the v
        of the own class in x_rec is the batch's."""
        config = self.config
        draws = draw(
            label, self.num_classes, config.code_size, config.seed, self.step, config.intensity
        )
        if more and config.own_intensity == "data":
            draws = draws.with_own(label, more["intensity"])
        return draws

    def translate(
        self, image: tf.Tensor, label: tf.Tensor, face_code: tf.Tensor, draws: Draws
    ) -> tf.Tensor:
        """x_hat = G_dec([g(x), u(y')]), eq. 3, with the style of `drawn_style`."""
        code = expression_code(draws.target_label, draws.target_intensity, self.num_classes)
        return self.redraw(image, label, face_code, code, draws)

    def redraw(
        self,
        image: tf.Tensor,
        label: tf.Tensor,
        face_code: tf.Tensor,
        expression: tf.Tensor,
        draws: Draws,
    ) -> tf.Tensor:
        """The face of an image with another expression code: G_dec with the style of `drawn_style`,
        and with `details` what x_rec lacks of the image (`keep_details`)."""
        drawn = self.decode(self.drawn_style(face_code, draws), expression)
        if not self.config.details:
            return drawn
        own = self.reconstruct(face_code, label, draws)
        return keep_details(image, own, drawn, self.config.details)

    def drawn_style(self, face_code: tf.Tensor, draws: Draws) -> tf.Tensor:
        """g(x) with its last `style_size` entries, the style of the expression, from z."""
        size = self.config.style_size
        if not size:
            return face_code
        return tf.concat(
            [face_code[:, :-size], self.new_codes(draws.prior_code)[:, -size:]], axis=-1
        )

    def reconstruct(self, face_code: tf.Tensor, label: tf.Tensor, draws: Draws) -> tf.Tensor:
        """x_rec = G_dec([g(x), u(y)]), eq. 11."""
        return self.decode(face_code, expression_code(label, draws.own_intensity, self.num_classes))

    def update_code_critic(self, face_code: tf.Tensor, draws: Draws) -> Scalars:
        """Updates D_z by L_D_z (eq. 24), and the fitted prior."""
        if self.prior is not None:
            self.prior.update(face_code)
        if not self.config.code_critic:
            return {}
        with tf.GradientTape() as tape:
            prior, encoded = self.code_critic(draws.prior_code), self.code_critic(face_code)
            loss = losses.critic_adversarial_code(prior, encoded)
        variables = self.code_critic.trainable_variables
        norm = minimise(self.code_critic_optimizer, tape, loss, variables)
        accuracy = collapse_signals.critic_accuracy(prior, encoded)
        return {
            "L_advd_z": loss,
            "signals/gradient_D_z": norm,
            "signals/accuracy_D_z": accuracy,
        }

    def update_image_critic(
        self, image: tf.Tensor, translated: tf.Tensor, label: tf.Tensor, draws: Draws
    ) -> Scalars:
        """Updates D_img by L_D_img (eq. 23), `critic_steps` times on this batch.

        The class head learns from the real images only (eq. 9).
        """
        config, critic = self.config, self.image_critic
        if not config.image_critic:
            return {}
        logs: Scalars = {}
        for repeat in range(config.critic_steps):
            real_seed, fake_seed, _ = tf.unstack(draws.augmentation_seeds + repeat)
            real, fake = self.augment(image, real_seed), self.augment(translated, fake_seed)
            with tf.GradientTape() as tape:
                on_real, logits, on_fake = critic.compare(real, fake, self.frozen.together)
                adversarial = losses.critic_adversarial_image(on_real, on_fake)
                penalty = losses.gradient_penalty(
                    critic.realness,
                    real,
                    fake,
                    draws.penalty_seed + repeat,
                    patches=config.penalty_patches,
                )
                loss = config.lambda5 * (adversarial + config.penalty_weight * penalty)
                if config.auxiliary_classifier:
                    logs["L_cls_D_r"] = losses.classification(label, logits)
                    loss += logs["L_cls_D_r"]
            norm = minimise(self.image_critic_optimizer, tape, loss, critic.trainable_variables)
            logs |= {"L_advd_img": adversarial, "penalty": penalty, "L_D_img": loss}
            logs["signals/gradient_D_img"] = norm
        logs["signals/gap_D_img"] = -adversarial
        logs["signals/slope_D_img"] = collapse_signals.critic_slope(
            on_real, on_fake, real, fake, config.penalty_patches
        )
        return logs

    def augment(self, image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """An image as D_img sees it, by `critic_augmentation`."""
        if self.config.critic_augmentation == "none":
            return image
        return critic_augmentation.augment(image, seed)

    def confidence(self, image: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
        """D_img's probability of each image's label, divided by its mean over the batch: (B,),
        constant."""
        _, logits = self.image_critic(image)
        probability = tf.gather(tf.nn.softmax(logits), label, batch_dims=1)
        mean = replicas.mean({"mean": tf.reduce_mean(probability)})["mean"]
        return tf.stop_gradient(tf.math.divide_no_nan(probability, mean))

    def identities(
        self,
        image: tf.Tensor,
        reconstructed: tf.Tensor,
        more: More,
        image_map: tf.Tensor | None = None,
        reconstructed_map: tf.Tensor | None = None,
    ) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        """What L_id and L_map compare, by their names: F_id's outputs of x and x_rec, and the maps
        of its trunk. A loss of weight 0 needs none.

        image_map, reconstructed_map: these maps, where they are known.
        """
        config, frozen = self.config, self.frozen
        pairs = {}
        if not (config.lambda3 or config.lambda_map):
            return pairs
        if config.lambda_map and image_map is None:
            image_map = more.get("identity_map")
            image_map = frozen.identity_map(image) if image_map is None else image_map
        if config.lambda3:
            identity = more["identity"] if "identity" in more else frozen.embed(image, image_map)
        reconstructed_map = frozen.identity_map(reconstructed, reconstructed_map)
        if config.lambda3:
            pairs["L_id"] = identity, frozen.embed_map(reconstructed_map)
        if config.lambda_map:
            pairs["L_map"] = image_map, reconstructed_map
        return pairs

    def generator_terms(
        self,
        image: tf.Tensor,
        identities: dict[str, tuple[tf.Tensor, tf.Tensor]],
        face_code: tf.Tensor,
        translated: tf.Tensor,
        reconstructed: tf.Tensor,
        draws: Draws,
    ) -> dict[str, tuple[float, tf.Tensor]]:
        """The terms of L_G (eq. 22), each with its weight. A term of weight 0 is not computed.

        identities: from `identities`.
        """
        config = self.config
        terms: dict[str, tuple[float, tf.Tensor]] = {}
        if config.image_critic:
            seen = self.augment(translated, draws.augmentation_seeds[2])
            realness, logits = self.image_critic(seen)
            terms["L_advg_img"] = (1.0, losses.generator_adversarial_image(realness))
            if config.auxiliary_classifier:
                loss = losses.classification(draws.target_label, logits)
                terms["L_cls_D_f"] = (config.lambda4, loss)
        if config.code_critic:
            loss = losses.generator_adversarial_code(self.code_critic(face_code))
            terms["L_advg_z"] = (config.lambda1, loss)
        if config.lambda2:
            loss = losses.l1(image, reconstructed, config.l1_reduction)
            terms["L_rec"] = (config.lambda2, loss)
        for name, weight in (("L_id", config.lambda3), ("L_map", config.lambda_map)):
            if weight:
                terms[name] = (weight, losses.l1(*identities[name], config.l1_reduction))
        return terms

    def update_generator(self, tape: tf.GradientTape, loss: tf.Tensor) -> Scalars:
        """Updates W_G by L_G (eq. 22 or 25)."""
        norm = minimise(self.generator_optimizer, tape, loss, self.generator_variables)
        return {"signals/gradient_G": norm}
