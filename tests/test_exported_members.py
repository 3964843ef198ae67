"""The public names of each package: leaving one out, or adding one, is a decision that shows here."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

FACES = {
    "engine": """
        CALIBRATION_FILE FEATURES FITTED_FEATURES MAX_ATTEMPTS MAX_DEADLINE_MS MAX_LAYER_STEPS MAX_LOGIT_BIAS
        MAX_LOGPROBS MAX_STOP_CHARACTERS MAX_STOP_TEXTS MAX_TOKENS AlarmReading Alarms Answer AnswerToken Answered
        Attempt Budget CacheNumbers Calibration CheckedStep Choice Closed Confidence Curve Decoder Depth DeviceName
        Engine Entry Event Familiar Familiarity Generation Ignored JudgedChain LowConfidence ModelRunner NotPromised
        Numbers Observation Outcome Point PrefillOutput PreparedRequest Promise Promises Proof ProofVerdict Receipt
        Request RequestState RunOptions RunnerName Runtime Sample Sampling Scheduler SchedulerStats Sequence
        SequenceLimits Service StateReader StepJudged StepOutput StepPolicy StopReason Ticket TokenWritten Trial
        TrialVerdict answer_features best_of calibration_bins calibration_error check_gpu default_calculator
        default_choice dialect_of explain features fit has_wrong_step helpful_threads is_promised load_decoder
        load_engine load_promises load_runner load_scheduler load_state_reader parse_prose parse_settings
        read_calibration valid_calibration verifier_missed_some warm_up
    """,
    "steps": """
        CHARACTERS CHECKER_VERSION CalculatorMode END END_THINK INSTRUCTING_ROLES THINK UNEQUAL_SIGNS WEEKDAYS
        ChainSources Claim Context Inference Instance MisplacedMessage NumberSource NumberTracer Origin Prose Reading
        Response Status Step StepFault StepSources Trace Turns Universal Unreadable Value Verdict
        answers_a_claim calculate check check_chain evaluate parse parse_statement programs proves read_as read_claim
        read_turns render render_response render_term render_value_like settles split_response terms trace_numbers
        turns_of units
    """,
    "grammars": """
        CompiledGrammar Grammar GrammarCompiler GrammarState SchemaFault json_rule quoted
    """,
    "steps.programs": """
        Bounds Case DEFAULT_BOUNDS Fault FaultKind Inputs Integers Lists Operation Program ProgramError ProgramVerdict
        Specification Value decide parse_program read_examples retell run same_value
    """,
    "store": """
        ARCHITECTURES ASSISTANT AnyTokenizer BEGIN CONFIDENCE_INPUTS CONFIG_FIELDS Chat Conversation Curve
        DEFAULT_TEMPLATE DenseShape EXITS_FILE EXIT_TENSORS_FILE ExitsFile ExitsSettings FAMILIARITY_FILE
        FAMILIES FETCHED_FILE FamiliarityFile ForeignTokenizer IMPORTED_TYPES ImportedModel LineageEntry MANIFEST_FILE
        ModelSettings ModelShape NgramFilter Ngrams PAD Parameters Rank RopeScaling SCALAR_FEATURES SHIPPED_MODELS
        SPECIAL_TOKENS StoredModel StoredTensors TENSOR_FAULTS THINKING_FILE ThinkingSettings Tokenizer USER
        VERIFIER_FILE Quantization SCALE_SUFFIX VerifierCalibration VerifierConfig VerifierFile WEIGHT_GROUP
        WholeNumbers adapter_names cache_folder cached_model change_since_recorded check_files learnt_numbers
        check_model_folder check_recorded check_safetensors check_size count_parameters is_fetched
        shared_length shipped_adapter
        dense_tensor_shapes exit_tensor_shapes exits_hash factor_parameters factor_shapes familiarity_hash
        load_tokenizer matrix_shapes
        model_hash model_type ngrams_of novelty open_model open_own_model open_tensors opens_thinking parts_hash
        read_dense_shape read_exits_file read_exits_settings read_familiarity_file read_lineage read_settings
        read_shape read_tensors read_thinking_file read_verifier_file refuse_faults replaced_folder resolve_model
        rotary_frequencies shipped_names stored_dense template_file tensor_shapes thinking_ids verifier_hash
        weight_bytes without_ends write_exits_file write_familiarity_file write_lineage write_thinking_file
        write_verifier_file
    """,
    "model": """
        Experts FeedForward KeyValueProjection LOG_PROBABILITY_SCALE LayeredAttention LoadedModel LoadedVerifier
        LowRankExperts LowRankLinear LowRankProjection MixtureOfExperts PRESETS Projection RMSNorm ReasoningLayer
        Route Routing RoutingRecord TrunkLayer TuiliConfig TuiliForCausalLM TuiliModel TuiliOutput Verifier
        check_folder count_parameters factorised_dense factors_of features_of foreign_embeddings foreign_linear
        gated_silu load_dense load_model mixed network_state preset probabilities read_verifier record_reads
        response_features rotary round_weight rounded_heads route_tokens save_model set_kernels stored_state token_loss
        transformers_tokenizer write_model_files write_verifier
    """,
    "tasks": """
        BUILT_IN_DOMAINS ChatMessage Clause Clauses Content Conversation Domain Draft Ingredient LEVELS Language
        MUTATION_KINDS Problem SEEDS_PER_SPLIT Split Wording
        converse current_domain domain domain_names generate in_every_form is_unseen_form last_number mutants mutate
        own_experts phase read_domain read_domains result_start same_amount same_answer same_form same_last_number score
        takes_follow_up trained_domains unseen_problems with_noise without_working
    """,
    "train": """
        EXIT_ALONE MAX_RESTARTS REWRITE_REMEDY RUN_FILE Checkpoint CheckpointConfig CheckpointManager CurriculumConfig
        DataConfig DeviceSetting ExecutionPlan ExitWalk FileWeights LogConfig ModelConfig Objective Place PreparedBlocks
        Recipe RecordedTraining ReplicaDied RunFolder ScheduleConfig StreamConfig TrainConfig TrainingFeed TrainingLog
        TrainingResult build_curriculum build_model build_sources can_compile check_count check_place check_replicas
        environment environment_changes find_device interruptible keep_freed_memory launch noticing_full_gpu peak_memory
        preconditioned prepared_blocks rate_scale read_hidden read_log recorded_sources recorded_training router_losses
        tell_loss tell_other_machines train training_feed training_stream walk_exits warmup_cosine StackedMuon
        hidden_matrices
    """,
    "posttrain": """
        GENERATED UNKNOWN_LABEL Backbone ExampleEncoder Examples ExitsRecipe ExitsResult ExitsRun ExitsTrainingConfig
        LearningConfig LearningNetwork LearningRate LearningSession MasterWeights OpenBlocks Reading TeachingConfig
        TeachingDataConfig TeachingFeed TeachingRecipe TeachingResult VerifierRecipe VerifierRun VerifierTrainingResult
        best_thresholds build_sources calibrate_folder calibrate_verifier choose_threshold min_token_probability
        open_stream pack_attention packed_states predict_logits prompts_of_file read_texts recorded_teaching
        round_backbone taught_data_with taught_sources teach train_exits train_verifier verifier_figures
        write_familiarity build_optimizers
    """,
    "compress": """
        AutoPlan AutoReport AutoRun AutoSettings Interrupted Latency Targets TurnSettings measure_latency
        Compression CompressionPlan CompressionResult DistilConfig DistilRecipe Distilling FactoriseConfig
        FactoriseRecipe Factorising HealedNetwork HealingConfig HealingData ImportedParent Measuring Network OwnParent
        OF_THE_TEACHER Parent PruneConfig PruneRecipe Pruning QuantizeConfig QuantizeRecipe Quantizing Samples
        StudentConfig TokenStates compress distillation forward_kl make_plan open_parent size_changes stage_steps
        stored_bytes tried_plan
    """,
    "planning": """
        ExpertPlan HealingCurve MatrixKind Memory Plan PlannedModel Recovery RecoverySettings Weights find_curve
        matrix_kinds parse_size plan_distil plan_experts plan_factorise plan_prune plan_quantize planned_model sized
        told_size
    """,
    "adapt": """
        AdaptOptions AdaptResult Interrupted Listener Plan adapt
    """,
    "data": """
        Block BlockStream Document FileSource IGNORE_INDEX ImportOutcome MIN_VOCABULARY_SIZE MULTIPLIED_SOURCE
        MultiplyReport QuestionForm ReadQuestion Record RecordSource Refusal Source StreamState
        TOKENIZER_SAMPLE_RECORDS TaskSource VOCABULARY_SIZE check_records check_sample count_outcomes encode_record
        fill_row kinds_of masked_question multiply multiply_all numbered_records original_id pack pipeline prefetch
        question_form read_questions read_records read_training_records record_schema sample_texts showing
        train_tokenizer write_records
    """,
    "data.showing": """
        BORDER FedRecord Feed JudgedStep MASKED Piece ShownDocument ShownLine ShownRow ShownToken Summary facts
        prefix_lines row_facts show_prefix show_records show_rows shown_lines title token_style visible write_page
    """,
    "data.pipeline": """
        AnyBlock Block BlockSettings BuildRecipe BuildSettings Built Confusion Decontamination DedupSettings Document
        Drop Dropped EvaluationItem Input Kept Labelled Lookup OrderedBlock Pipeline Progress QualityClassifier
        ReadFault Refusal Refused Settled Tally Words build hash_words holds_records is_corpus judge read_classifier
        read_manifest shipped_thresholds survey teach told_number write_classifier
    """,
    "serve": """
        AlarmFiles Effort HeaderTimeoutProtocol Key Keys ModelRegistry RequestMetrics Settings Traces
        default_state_folder effort_limits engine_factory make_app new_key otlp_traces read_keys serve
    """,
    "eval": """
        ACCENT_COLOUR ALIKE AttemptHistory AttemptSnapshot CalibrationGrid Cell CertifiedSetting Compared Comparison
        DepthTrend EVAL_FILE EvalSettings FileSettings Job LEVEL_COLOURS LabelledPrompt LossTable MUTED_COLOUR
        Measured PLOT_STYLE ScoredResponse
        answer_conversations answer_problems calibrate candidate_thresholds cells cells_by_domain
        certify certify_grid check_sample_size collect_histories
        depth_lines depth_trends draw_risk_coverage empirical_setting
        evaluate evaluate_file figure_uri figures_line fit_confidence fitting_part heat_map
        learn_familiarity learning_curve likeness mean_depth
        own_problems paired_difference read_figures replay right_answers run_jobs sample starting_setting testing_part
        wilson_interval write_card write_html write_json
    """,
    "exchange": """
        DTYPES Dtype Exported Fetched GGUF_TYPES NAMED_SOURCES PROMPTS ParityError Shipped export_model fetch_model
        import_adapter import_model ship_adapter
    """,
    "bench": """
        REQUEST_TIMEOUT_SECONDS LoadSettings RequestResult SpeedSettings TokenTimer
        load_report measure_speed run_load worked_prompts
    """,
}


@pytest.mark.parametrize("name", FACES)
def test_a_package_exports_these_names_and_documents_them(name):
    package = import_module(f"tuili.{name}")
    assert sorted(package.__all__) == sorted(FACES[name].split())
    for member in package.__all__:
        value = getattr(package, member)
        assert (not inspect.isroutine(value) and not inspect.isclass(value)) or value.__doc__, (
            f"tuili.{name}.{member} has no docstring"
        )


@pytest.mark.parametrize("name", FACES)
def test_its_stub_lists_what_it_imports(name):
    """Type checkers read `__all__` of the stub, lazy_loader reads its imports: they must agree."""
    stub = Path(import_module(f"tuili.{name}").__file__).with_suffix(".pyi")
    if not stub.is_file():  # a package that imports its names at once
        return
    module = ast.parse(stub.read_text())
    names = [alias.name for node in module.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    (listed,) = (ast.literal_eval(node.value) for node in module.body if isinstance(node, ast.Assign))
    assert sorted(names) == sorted(listed)


LIGHT = sorted(FACES.keys() - {"model"})
LOADED = """
import importlib, sys
for name in sys.argv[1:]:
    for module in [each for each in sys.modules if each.partition(".")[0] == "tuili"]:
        del sys.modules[module]
    importlib.import_module(f"tuili.{name}")
    print(*(module for module in sys.modules if module.partition(".")[0] in ("tuili", "torch")))
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, set[str]]:
    """What is loaded of Tuili and torch after the import of each package, in a process that forgets Tuili between."""
    done = subprocess.run([sys.executable, "-c", LOADED, *LIGHT], capture_output=True, text=True, check=True)
    return {name: set(line.split()) for name, line in zip(LIGHT, done.stdout.splitlines(), strict=True)}


@pytest.mark.parametrize("name", LIGHT)
def test_importing_a_package_costs_nothing(name, loaded):
    assert loaded[name] == {"tuili", f"tuili.{name}", f"tuili.{name.partition('.')[0]}"}
