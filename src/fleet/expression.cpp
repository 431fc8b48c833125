#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "fleet/query.h"

namespace lineshaft::fleet {
namespace {

constexpr std::size_t rows_at_once = 256;

enum class Op : std::uint8_t {
    Constant,
    Name,
    Negate,
    Not,
    Add,
    Subtract,
    Multiply,
    Divide,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
    And,
    Or,
    Abs,
    Floor,
    Min,
    Max,
};

/// One step of a stack machine; `index` into the constants or the names.
struct Step {
    Op op;
    std::uint32_t index = 0;
};

bool is_true(double value) { return value == value && value != 0; }

inline double apply(Op op, double a, double b) {
    switch (op) {
        case Op::Add: return a + b;
        case Op::Subtract: return a - b;
        case Op::Multiply: return a * b;
        case Op::Divide: return b == 0 ? std::numeric_limits<double>::quiet_NaN() : a / b;
        case Op::Less: return a < b;
        case Op::LessEqual: return a <= b;
        case Op::Greater: return a > b;
        case Op::GreaterEqual: return a >= b;
        case Op::Equal: return a == b;
        case Op::NotEqual: return a < b || a > b;
        case Op::And: return is_true(a) && is_true(b);
        case Op::Or: return is_true(a) || is_true(b);
        case Op::Min: return std::fmin(a, b);
        case Op::Max: return std::fmax(a, b);
        default: return std::numeric_limits<double>::quiet_NaN();
    }
}

template <Op op>
void apply_to_all(double* a, const double* b, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) a[i] = apply(op, a[i], b[i]);
}

/// The choice stands outside the loops, so that they go over several values at a time.
void apply(Op op, double* a, const double* b, std::size_t count) {
    switch (op) {
        case Op::Add: return apply_to_all<Op::Add>(a, b, count);
        case Op::Subtract: return apply_to_all<Op::Subtract>(a, b, count);
        case Op::Multiply: return apply_to_all<Op::Multiply>(a, b, count);
        case Op::Divide: return apply_to_all<Op::Divide>(a, b, count);
        case Op::Less: return apply_to_all<Op::Less>(a, b, count);
        case Op::LessEqual: return apply_to_all<Op::LessEqual>(a, b, count);
        case Op::Greater: return apply_to_all<Op::Greater>(a, b, count);
        case Op::GreaterEqual: return apply_to_all<Op::GreaterEqual>(a, b, count);
        case Op::Equal: return apply_to_all<Op::Equal>(a, b, count);
        case Op::NotEqual: return apply_to_all<Op::NotEqual>(a, b, count);
        case Op::And: return apply_to_all<Op::And>(a, b, count);
        case Op::Or: return apply_to_all<Op::Or>(a, b, count);
        case Op::Min: return apply_to_all<Op::Min>(a, b, count);
        case Op::Max: return apply_to_all<Op::Max>(a, b, count);
        default: std::fill_n(a, count, std::numeric_limits<double>::quiet_NaN());
    }
}

double apply(Op op, double a) {
    switch (op) {
        case Op::Negate: return -a;
        case Op::Not: return !is_true(a);
        case Op::Abs: return std::fabs(a);
        case Op::Floor: return std::floor(a);
        default: return std::numeric_limits<double>::quiet_NaN();
    }
}

bool is_unary(Op op) { return op == Op::Negate || op == Op::Not || op == Op::Abs || op == Op::Floor; }

bool begins_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool in_name(char c) { return begins_name(c) || (c >= '0' && c <= '9'); }

}  // namespace

struct Expression::Program {
    std::vector<Step> steps;
    std::vector<double> constants;
    std::vector<std::string> names;
    std::string text;
    std::size_t stack = 0;  // The deepest.
};

namespace {

/// or < and < not < comparison < sum < product < sign < primary.
template <class Program>
class Parser {
public:
    Parser(std::string_view text, Program& program) : text_(text), program_(program) {}

    Result<void> run() {
        TRY_VOID(disjunction(0));
        skip_space();
        if (at_ < text_.size()) return wrong("an operator or the end");
        return {};
    }

private:
    std::unexpected<Error> wrong(std::string_view expected) const {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("in '{}' at {}: {} is expected", text_, at_ + 1, expected));
    }

    void skip_space() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) ++at_;
    }

    bool take(std::string_view sign) {
        skip_space();
        if (!text_.substr(at_).starts_with(sign)) return false;
        at_ += sign.size();
        return true;
    }

    bool take_word(std::string_view word) {
        skip_space();
        if (!text_.substr(at_).starts_with(word)) return false;
        if (at_ + word.size() < text_.size() && in_name(text_[at_ + word.size()])) return false;
        at_ += word.size();
        return true;
    }

    Result<void> push(Step step) {
        if (program_.steps.size() >= expression_nodes_max)
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("an expression has at most {} parts", expression_nodes_max));
        program_.steps.push_back(step);
        if (step.op == Op::Constant || step.op == Op::Name)
            program_.stack = std::max(program_.stack, ++height_);
        else if (!is_unary(step.op))
            --height_;
        return {};
    }

    Result<void> deeper(std::size_t depth) const {
        if (depth < expression_depth_max) return {};
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("an expression nests at most {} deep", expression_depth_max));
    }

    Result<void> disjunction(std::size_t depth) {
        TRY_VOID(deeper(depth));
        TRY_VOID(conjunction(depth));
        while (take_word("or") || take("||")) {
            TRY_VOID(conjunction(depth));
            TRY_VOID(push({Op::Or}));
        }
        return {};
    }

    Result<void> conjunction(std::size_t depth) {
        TRY_VOID(negation(depth));
        while (take_word("and") || take("&&")) {
            TRY_VOID(negation(depth));
            TRY_VOID(push({Op::And}));
        }
        return {};
    }

    Result<void> negation(std::size_t depth) {
        TRY_VOID(deeper(depth));
        if (!take_word("not")) return comparison(depth);
        TRY_VOID(negation(depth + 1));
        return push({Op::Not});
    }

    Result<void> comparison(std::size_t depth) {
        TRY_VOID(sum(depth));
        static constexpr std::pair<std::string_view, Op> signs[] = {
            {"<=", Op::LessEqual}, {">=", Op::GreaterEqual}, {"==", Op::Equal}, {"!=", Op::NotEqual},
            {"<", Op::Less},       {">", Op::Greater},       {"=", Op::Equal}};
        for (const auto& [sign, op] : signs) {
            if (!take(sign)) continue;
            TRY_VOID(sum(depth));
            return push({op});
        }
        return {};
    }

    Result<void> sum(std::size_t depth) {
        TRY_VOID(product(depth));
        for (;;) {
            const bool plus = take("+");
            if (!plus && !take("-")) return {};
            TRY_VOID(product(depth));
            TRY_VOID(push({plus ? Op::Add : Op::Subtract}));
        }
    }

    Result<void> product(std::size_t depth) {
        TRY_VOID(sign(depth));
        for (;;) {
            const bool times = take("*");
            if (!times && !take("/")) return {};
            TRY_VOID(sign(depth));
            TRY_VOID(push({times ? Op::Multiply : Op::Divide}));
        }
    }

    Result<void> sign(std::size_t depth) {
        TRY_VOID(deeper(depth));
        if (!take("-")) return primary(depth);
        TRY_VOID(sign(depth + 1));
        return push({Op::Negate});
    }

    Result<void> primary(std::size_t depth) {
        skip_space();
        if (take("(")) {
            TRY_VOID(disjunction(depth + 1));
            if (!take(")")) return wrong("')'");
            return {};
        }
        if (at_ >= text_.size()) return wrong("a number, a name or '('");
        if (begins_name(text_[at_])) return name_or_function(depth);
        return number();
    }

    Result<void> number() {
        double value = 0;
        const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
        if (error != std::errc() || !std::isfinite(value)) return wrong("a number, a name or '('");
        at_ = static_cast<std::size_t>(end - text_.data());
        program_.constants.push_back(value);
        return push({Op::Constant, static_cast<std::uint32_t>(program_.constants.size() - 1)});
    }

    Result<void> name_or_function(std::size_t depth) {
        const std::size_t begin = at_;
        while (at_ < text_.size() && in_name(text_[at_])) ++at_;
        const std::string_view name = text_.substr(begin, at_ - begin);
        if (name == "and" || name == "or" || name == "not") {
            at_ = begin;
            return wrong("a number, a name or '('");
        }
        if (take("(")) return function(name, begin, depth);
        const auto found = std::ranges::find(program_.names, name);
        const auto index = static_cast<std::uint32_t>(found - program_.names.begin());
        if (found == program_.names.end()) program_.names.emplace_back(name);
        return push({Op::Name, index});
    }

    Result<void> function(std::string_view name, std::size_t begin, std::size_t depth) {
        static constexpr std::pair<std::string_view, Op> functions[] = {
            {"abs", Op::Abs}, {"floor", Op::Floor}, {"min", Op::Min}, {"max", Op::Max}};
        const auto* found = std::ranges::find(functions, name, &std::pair<std::string_view, Op>::first);
        if (found == std::end(functions)) {
            at_ = begin;
            return wrong("one of the functions abs, floor, min and max");
        }
        TRY_VOID(disjunction(depth + 1));
        if (!is_unary(found->second)) {
            if (!take(",")) return wrong("','");
            TRY_VOID(disjunction(depth + 1));
        }
        if (!take(")")) return wrong("')'");
        return push({found->second});
    }

    std::string_view text_;
    Program& program_;
    std::size_t at_ = 0;
    std::size_t height_ = 0;
};

}  // namespace

Expression::Expression() = default;
Expression::Expression(Expression&&) noexcept = default;
Expression& Expression::operator=(Expression&&) noexcept = default;
Expression::~Expression() = default;

Result<Expression> Expression::parse(std::string_view text) {
    Expression expression;
    expression.program_ = std::make_unique<Program>();
    expression.program_->text = text;
    TRY_VOID(Parser(expression.program_->text, *expression.program_).run());
    return expression;
}

bool Expression::is_empty() const { return program_ == nullptr; }

const std::vector<std::string>& Expression::names() const {
    static const std::vector<std::string> none;
    return program_ ? program_->names : none;
}

const std::string& Expression::text() const {
    static const std::string none;
    return program_ ? program_->text : none;
}

double Expression::evaluate(const double* values) const {
    std::array<double, expression_nodes_max> stack;
    std::size_t top = 0;
    for (const Step step : program_->steps) {
        if (step.op == Op::Constant) {
            stack[top++] = program_->constants[step.index];
        } else if (step.op == Op::Name) {
            stack[top++] = values[step.index];
        } else if (is_unary(step.op)) {
            stack[top - 1] = apply(step.op, stack[top - 1]);
        } else {
            --top;
            stack[top - 1] = apply(step.op, stack[top - 1], stack[top]);
        }
    }
    return stack[0];
}

void Expression::evaluate(const double* const* columns, std::size_t count, double* into) const {
    std::vector<double> stack(program_->stack * rows_at_once);
    for (std::size_t begin = 0; begin < count; begin += rows_at_once) {
        const std::size_t rows = std::min(rows_at_once, count - begin);
        std::size_t top = 0;
        for (const Step step : program_->steps) {
            if (step.op == Op::Constant) {
                std::fill_n(&stack[top++ * rows_at_once], rows, program_->constants[step.index]);
            } else if (step.op == Op::Name) {
                std::copy_n(columns[step.index] + begin, rows, &stack[top++ * rows_at_once]);
            } else if (is_unary(step.op)) {
                double* a = &stack[(top - 1) * rows_at_once];
                for (std::size_t i = 0; i < rows; ++i) a[i] = apply(step.op, a[i]);
            } else {
                --top;
                double* a = &stack[(top - 1) * rows_at_once];
                const double* b = &stack[top * rows_at_once];
                apply(step.op, a, b, rows);
            }
        }
        std::copy_n(stack.data(), rows, into + begin);
    }
}

}  // namespace lineshaft::fleet
