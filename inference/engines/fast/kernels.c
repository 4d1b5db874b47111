/* What surrounds the matrix products of one decoding step. Compiled when an engine starts (see native.py), with HEAD,
 * the head size, as a constant. All matrices are row-major float32. NaN stays NaN.
 *
 * Q query heads, K key heads, G = Q / K; a row of qkv is Q + 2K heads of HEAD numbers. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#define PAIRS (HEAD / 2)

/* e^x within 3e-7 of it, in a form that vectorises: 2^k times the polynomial of Cephes' exp2f.
 * Stays within 2^-126 ... 2^126. */
static inline float exp_of(float x) {
    x *= 1.44269504088896341f;
    x = x < -126.0f ? -126.0f : x;
    x = x > 126.0f ? 126.0f : x;
    float whole = floorf(x + 0.5f), f = x - whole, r = 1.535336188319500e-4f;
    r = r * f + 1.339887440266574e-3f;
    r = r * f + 9.618437357674640e-3f;
    r = r * f + 5.550332471162809e-2f;
    r = r * f + 2.402264791363012e-1f;
    r = r * f + 6.931472028550421e-1f;
    r = r * f + 1.0f;
    int32_t bits = ((int32_t)whole + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return r * power;
}

/* Neighbouring numbers are the real and imaginary part of what rotates together. */
static inline void rotate(float *restrict x, const float *restrict by) {
    for (int i = 0; i < PAIRS; i++) {
        float re = x[2 * i], im = x[2 * i + 1], c = by[2 * i], s = by[2 * i + 1];
        x[2 * i] = re * c - im * s;
        x[2 * i + 1] = re * s + im * c;
    }
}

static inline void attend_one(const float *restrict q, const float *restrict keys, const float *restrict values,
                              int64_t columns, float *restrict weights, float *restrict out) {
    float top = -INFINITY, total = 0.0f, mixed[HEAD] = {0};
    for (int64_t t = 0; t < columns; t++) {
        float sum = 0.0f;
        for (int d = 0; d < HEAD; d++) sum += q[d] * keys[t * HEAD + d];
        weights[t] = sum;
    }
    for (int64_t t = 0; t < columns; t++) top = weights[t] > top ? weights[t] : top;
    for (int64_t t = 0; t < columns; t++) weights[t] = exp_of(weights[t] - top);
    for (int64_t t = 0; t < columns; t++) total += weights[t];
    for (int64_t t = 0; t < columns; t++)
        for (int d = 0; d < HEAD; d++) mixed[d] += weights[t] * values[t * HEAD + d];
    for (int d = 0; d < HEAD; d++) out[d] = mixed[d] / total;
}

/* Rotates queries and keys, writes the new keys and values to column lengths[b] of row b, and attends to columns
 * 0 ... lengths[b]. rotations [positions, HEAD], keys and values [rows, K, capacity, HEAD], weights [capacity]. */
void attend(int64_t rows, int64_t K, int64_t G, int64_t capacity, float *qkv, const float *rotations,
            const int64_t *lengths, float *keys, float *values, float *weights, float *out) {
    int64_t queries = K * G;
    for (int64_t b = 0; b < rows; b++) {
        float *heads = qkv + b * (queries + 2 * K) * HEAD;
        int64_t at = lengths[b];
        for (int64_t h = 0; h < queries + K; h++) rotate(heads + h * HEAD, rotations + at * HEAD);
        for (int64_t h = 0; h < K; h++) {
            int64_t place = (b * K + h) * capacity * HEAD;
            memcpy(keys + place + at * HEAD, heads + (queries + h) * HEAD, HEAD * sizeof(float));
            memcpy(values + place + at * HEAD, heads + (queries + K + h) * HEAD, HEAD * sizeof(float));
            for (int64_t g = h * G; g < (h + 1) * G; g++)
                attend_one(heads + g * HEAD, keys + place, values + place, at + 1, weights,
                           out + (b * queries + g) * HEAD);
        }
    }
}

/* out = x / sqrt(mean(x^2) + eps) * weight, by rows. */
void norm(int64_t rows, int64_t width, const float *restrict x, const float *restrict weight, float eps,
          float *restrict out) {
    for (int64_t b = 0; b < rows; b++, x += width, out += width) {
        float squares = 0.0f;
        for (int64_t i = 0; i < width; i++) squares += x[i] * x[i];
        float scale = 1.0f / sqrtf(squares / (float)width + eps);
        for (int64_t i = 0; i < width; i++) out[i] = x[i] * scale * weight[i];
    }
}

static inline void gated_one(int64_t width, const float *restrict gate, const float *restrict up, float *restrict out) {
    for (int64_t i = 0; i < width; i++) out[i] = gate[i] * up[i] / (1.0f + exp_of(-gate[i]));
}

/* out [rows, width] = silu(gate) * up, from [rows, 2 * width]. */
void gated(int64_t rows, int64_t width, const float *gate_up, float *out) {
    for (int64_t b = 0; b < rows; b++)
        gated_one(width, gate_up + 2 * b * width, gate_up + (2 * b + 1) * width, out + b * width);
}
