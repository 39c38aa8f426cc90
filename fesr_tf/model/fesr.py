"""FESR: joint training of FESGAN and the recogniser R, the second stage of Algorithm 1."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf
import tf_keras as keras

from fesr_tf.config import Config
from fesr_tf.model import collapse_signals, losses
from fesr_tf.model.batch import Batch, More, require, unpack
from fesr_tf.model.expression_codes import Draws, expression_code
from fesr_tf.model.fesgan import FESGAN, Scalars, minimise, running
from fesr_tf.model.frozen_features import FrozenPasses
from fesr_tf.model.optimizers import recognizer_adam
from fesr_tf.networks import replicas
from fesr_tf.networks.face_networks import FaceNetwork, load_face_network
from fesr_tf.networks.recognizer import Recognizer

Targets = tf.Tensor | tuple[tf.Tensor, tf.Tensor | None]
"""Labels (B,) int, or shares (B,K) and the images' weights (B,) or None."""


class FESR(keras.Model):
    """FESGAN and R (Section III-D). Calling it classifies: (B, S, S, c) -> logits (B, K).

    `train_step` takes the same batch as FESGAN's. With `synthetic: none` (BASELINE) it trains R
    alone, on real images. R's trunk is that of `trunk_network`, else that of `face_network`, F_id.
    With `trunk_learning_rate` it is trained too, as a copy of its own where F_id reads the same.
    """

    def __init__(
        self,
        config: Config,
        num_classes: int,
        face_network: FaceNetwork,
        trunk_network: FaceNetwork | None = None,
    ):
        super().__init__(name="FESR")
        self.config = config
        self.num_classes = num_classes
        self.face_network = face_network
        self.fesgan = FESGAN(config, num_classes, face_network)
        if config.tunes_trunk and trunk_network is None:
            trunk_network = face_network.copy()
        self.recognizer = Recognizer(config, num_classes, trunk_network or face_network)
        self.frozen = FrozenPasses(face_network, config, trunk_network)
        self(tf.zeros((1, config.image_size, config.image_size, config.channels)))

    def call(self, image: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.recognizer(image)

    def compile(self, **kwargs) -> None:
        """Creates one Adam for each of the four networks, and for R's trunk where it is trained,
        before either stage starts.

        An optimizer that is first used in the second stage would create its state in a second
        trace, which fails.
        """
        self.fesgan.compile(**kwargs)
        super().compile(**running(self.config) | kwargs)
        self.distribute_reduction_method = "first"  # train_step gives means over all devices
        self.recognizer_optimizer = recognizer_adam(self.config, self.config.learning_rate)
        self.recognizer_optimizer.build(self.recognizer.trained_variables)
        if self.config.tunes_trunk:
            rate = self.config.trunk_learning_rate
            self.trunk_optimizer = recognizer_adam(self.config, rate)
            self.trunk_optimizer.build(self.recognizer.trunk_variables)

    @property
    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """Those of every network, in no order that matters."""
        gan = self.fesgan
        every = [gan.generator_optimizer, gan.image_critic_optimizer, gan.code_critic_optimizer]
        every.append(self.recognizer_optimizer)
        return [*every, self.trunk_optimizer] if self.config.tunes_trunk else every

    @property
    def recognizer_updates(self) -> list[tuple[keras.optimizers.Optimizer, list[tf.Variable]]]:
        """R's optimizers, each with its variables."""
        updates = [(self.recognizer_optimizer, self.recognizer.trained_variables)]
        if self.config.tunes_trunk:
            updates.append((self.trunk_optimizer, self.recognizer.trunk_variables))
        return updates

    def use_averages(self) -> None:
        """Gives G and R the moving averages of their weights, where `ema` keeps them."""
        for optimizer, variables in self._averaged_networks:
            optimizer.finalize_variable_values(variables)  # nothing without averages

    def restart_averages(self) -> None:
        """Lets the moving averages begin at the present weights."""
        if self.config.ema:
            for optimizer, variables in self._averaged_networks:
                averages = optimizer._model_variables_moving_average
                for average, variable in zip(averages, variables, strict=True):
                    average.assign(variable)

    @property
    def _averaged_networks(self) -> list[tuple[keras.optimizers.Optimizer, list[tf.Variable]]]:
        gan = self.fesgan
        return [(gan.generator_optimizer, gan.generator_variables), *self.recognizer_updates]

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """`use_averages` until the block ends; training then continues from its own weights."""
        variables = []
        if self.config.ema:
            own = [each for _, networks in self.recognizer_updates for each in networks]
            variables = [*self.fesgan.generator_variables, *own]
        values = [variable.read_value() for variable in variables]
        self.use_averages()
        try:
            yield
        finally:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    @tf.autograph.experimental.do_not_convert  # see FESGAN.train_step
    def train_step(self, batch: Batch) -> Scalars:
        """One iteration of Algorithm 1 for t >= P_pre. Returns every loss by name."""
        if self.config.synthetic == "none":
            return self.real_only_step(batch)
        image, positive, label, more = unpack(batch, self.config)
        require(more, self.config)
        gan, config, frozen = self.fesgan, self.config, self.frozen
        draws = gan.draw(label, more)
        # A trunk that F_id and R share processes each image once.
        own_image = more.get("recognizer_image", image)
        real = more["map"] if "map" in more else self.read(own_image)
        real_positive = more["positive_map"] if "map" in more else self.read(positive)
        with tf.GradientTape() as tape:
            face_code = gan.encode(image)  # line 3
            with tape.stop_recording():
                logs = gan.update_code_critic(face_code, draws)  # lines 5, 6
            translated = gan.translate(image, label, face_code, draws)  # line 7
            with tape.stop_recording():
                logs |= gan.update_image_critic(image, translated, label, draws)  # lines 8, 9
            reconstructed = gan.reconstruct(face_code, label, draws)  # line 10
            synthetic, synthetic_label = self.synthesize(image, face_code, label, draws)  # line 14
            reconstructed_map, synthetic_map = None, synthetic
            if not config.tunes_trunk:
                reconstructed_map, synthetic_map = self.map_generated(reconstructed, synthetic)
            with tape.stop_recording():
                maps = (real, real_positive, synthetic_map)
                targets = self.targets(label, more)
                weight = None
                if config.synthetic_weight == "critic":
                    weight = gan.confidence(synthetic, synthetic_label)
                logs |= self.update_recognizer(
                    maps, targets, synthetic_label, draws, weight
                )  # lines 15, 16
            if config.tunes_trunk and config.recognizer_guides_generator:
                synthetic_map = frozen.trunk(synthetic)  # by the updated trunk
            # R's map of x is F_id's too where both have the same trunk and read the same image.
            serves = frozen.shared and own_image is image and "map" not in more
            identities = gan.identities(
                image, reconstructed, more, real if serves else None, reconstructed_map
            )
            terms = gan.generator_terms(
                image, identities, face_code, translated, reconstructed, draws
            )
            if config.recognizer_guides_generator:
                loss = self.classify_synthetic(
                    synthetic_map, synthetic_label, draws.dropout_seeds[3]
                )
                terms["L_cls_R_f_to_G"] = (config.lambda4, loss)
            loss = tf.add_n([weight * term for weight, term in terms.values()])  # line 17, eq. 25
        logs |= {name: term for name, (_, term) in terms.items()} | {"L_G": loss}
        logs |= gan.update_generator(tape, loss)  # line 19
        logs["signals/spread_translated"] = collapse_signals.spread(translated, image)
        logs["signals/spread_synthetic"] = collapse_signals.spread(synthetic, image)
        gan.step.assign_add(1)  # line 20
        return replicas.mean(logs)

    def synthesize(
        self, image: tf.Tensor, face_code: tf.Tensor, label: tf.Tensor, draws: Draws
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """x^{p,f} (eq. 13), a new identity of the input's class, and its labels.

        FESR_Real generates the input's own identity instead, with any of the K expressions.
        """
        gan, own = self.fesgan, self.config.synthetic == "encoder"
        wanted = draws.synthetic_label if own else label
        expression = expression_code(wanted, draws.synthetic_intensity, self.num_classes)
        if own:
            return gan.redraw(image, label, face_code, expression, draws), wanted
        return gan.decode(gan.new_codes(draws.prior_code), expression), wanted

    def map_generated(
        self, reconstructed: tf.Tensor, synthetic: tf.Tensor
    ) -> tuple[tf.Tensor | None, tf.Tensor]:
        """The maps of R's trunk of x_rec (None where L_id and L_map do not need it) and x^{p,f}.

        They share one pass only where L_G needs the gradient of both; otherwise half of the
        backward pass would be wasted.
        """
        frozen, config = self.frozen, self.config
        if not (frozen.shared and (config.lambda3 or config.lambda_map)):
            return None, frozen.trunk(synthetic)
        if config.recognizer_guides_generator:
            return tuple(frozen.trunks(reconstructed, synthetic))
        return frozen.trunk(reconstructed), frozen.trunk(synthetic)

    def read(self, image: tf.Tensor) -> tf.Tensor:
        """What R's update reads of images: the map of its trunk, or the images themselves where the
        trunk is trained in that update."""
        return image if self.config.tunes_trunk else self.frozen.trunk(image)

    def targets(self, label: tf.Tensor, more: More) -> Targets:
        """The targets of R on real images, by `targets`, `label_smoothing` and `class_weights`."""
        config = self.config
        plain = config.targets == "labels" and not config.label_smoothing
        if plain and config.class_weights == "none":
            return label
        votes = more["votes"] if config.targets == "votes" else None
        shares = losses.shares(label, self.num_classes, config.label_smoothing, votes)
        return shares, more.get("weight")

    def update_recognizer(
        self,
        maps: tuple[tf.Tensor, tf.Tensor, tf.Tensor],
        targets: Targets,
        synthetic_label: tf.Tensor,
        draws: Draws,
        synthetic_weight: tf.Tensor | None = None,
    ) -> Scalars:
        """Updates R by L_R (eq. 26) from the constant trunk maps of x, x^{p,r} and x^{p,f}, or from
        these images where the trunk is trained. `synthetic_weight` (B,) is of x^{p,f} in L_cls,R^f,
        else 1."""
        recognizer, config = self.recognizer, self.config
        with tf.GradientTape() as tape:
            if config.tunes_trunk:
                maps = self.frozen.trunks(*maps)
            plain = recognizer.extract_all(maps, self.frozen.together)
            seeds = tf.unstack(draws.dropout_seeds[:3])
            dropped = [
                recognizer.drop(features, seed) for features, seed in zip(plain, seeds, strict=True)
            ]
            compared = dropped
            if config.intra_features == "shared_mask":
                # One mask for an image and those that it is compared with.
                compared = [recognizer.drop(features, seeds[0]) for features in plain]
            elif config.intra_features == "pre_dropout":
                compared = plain
            real_real, real_fake = losses.intra_class(
                *compared, squared=config.distance_squared, rdbp=config.rdbp
            )
            intra = real_real + real_fake  # eq. 14
            on_real = classify_real(targets, recognizer.classify(dropped[0]))
            logits = recognizer.classify(dropped[2])
            on_fake = losses.classification(synthetic_label, logits, synthetic_weight)
            loss = config.lambda6 * intra + on_real + on_fake
        norm = self.minimise_recognizer(tape, loss)
        return {
            "L_dist_r": real_real,
            "L_dist_rf": real_fake,
            "L_intra": intra,
            "L_cls_R_r": on_real,
            "L_cls_R_f": on_fake,
            "L_R": loss,
            "signals/gradient_R": norm,
        }

    def classify_synthetic(
        self, synthetic_map: tf.Tensor, label: tf.Tensor, seed: tf.Tensor
    ) -> tf.Tensor:
        """L_cls,R^f (eq. 21) with R's updated weights, constant in L_G (eq. 25)."""
        features = self.recognizer.extract(synthetic_map)
        logits = self.recognizer.classify(self.recognizer.drop(features, seed))
        return losses.classification(label, logits)

    def real_only_step(self, batch: Batch) -> Scalars:
        """Updates R by L_cls,R^r (eq. 20), for BASELINE."""
        image, _, label, more = unpack(batch, self.config)
        require(more, self.config)
        draws = self.fesgan.draw(label)
        trunk = more["map"] if "map" in more else self.read(more.get("recognizer_image", image))
        with tf.GradientTape() as tape:
            if self.config.tunes_trunk:
                trunk = self.frozen.trunk(trunk)
            features = self.recognizer.drop(self.recognizer.extract(trunk), draws.dropout_seeds[0])
            loss = classify_real(self.targets(label, more), self.recognizer.classify(features))
        norm = self.minimise_recognizer(tape, loss)
        self.fesgan.step.assign_add(1)
        return replicas.mean({"L_cls_R_r": loss, "L_R": loss, "signals/gradient_R": norm})

    def minimise_recognizer(self, tape: tf.GradientTape, loss: tf.Tensor) -> tf.Tensor:
        """One update of R, its trunk included where it is trained; the norm of all gradients."""
        (optimizer, variables), *trunk = self.recognizer_updates
        return minimise(optimizer, tape, loss, variables, *trunk)


def classify_real(targets: Targets, logits: tf.Tensor) -> tf.Tensor:
    """L_cls,R^r, eq. 20, of labels or of shares with weights."""
    if isinstance(targets, tuple):
        return losses.soft_classification(targets[0], logits, targets[1])
    return losses.classification(targets, logits)


def build(config: Config, num_classes: int, face_network: FaceNetwork | None = None) -> FESR:
    """Builds a compiled `FESR` model whose initial weights are determined by `config.seed`.

    With `strategy: mirrored`, every variable is mirrored on all devices (a given face network must
    have been created in the scope of the current strategy). With `multi_worker` the current
    strategy counts, which the command enters.

    Args:
        config: The settings; `config.identity` and `config.trunk` name the face networks to load.
        num_classes: K, the number of expressions.
        face_network: Used instead of the one that `config.identity` names.

    Returns:
        The model, a `tf_keras.Model`: images float32 (B,S,S,c) in [-1,1] -> logits (B,K). Its
        `fesgan` is FESGAN, its `recognizer` R.

    Raises:
        BadUse: The face network's weights do not exist or do not fit `config.image_size`.

    Example:
        >>> config = fesr_tf.load_config("demo", overrides=["image_size=32", "width=0.0625"])
        >>> model = fesr_tf.build_model(config, 7)
        >>> model.predict(np.zeros((2, 32, 32, 1), np.float32), verbose=0).shape
        (2, 7)
    """
    with strategy(config).scope():
        face_network = face_network or load_face_network(config.identity, config.identity_weights)
        trunk_network = None
        if config.trunk:
            trunk_network = load_face_network(config.trunk, config.trunk_weights)
        keras.utils.set_random_seed(config.seed)
        model = FESR(config, num_classes, face_network, trunk_network)
        model.compile()
    return model


def strategy(config: Config) -> tf.distribute.Strategy:
    """The current strategy; with `mirrored` and no current one, mirroring over all GPUs."""
    if config.strategy == "mirrored" and not tf.distribute.has_strategy():
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()
