"""The fused engine: what nobody needs to read to use a circuit, and what one reads to see why it is
fast.

It has two kernels behind one name; ``QuantumLayer.kernel`` says which one computes.

**The compiled kernel** (``program.py``, ``kernel.py``, ``compiled.py``): on a CPU, for values and
first derivatives, where numba is installed. The circuit is data, so the machine code is made once
and kept on disk. Rows lie side by side, and one instruction works on several of them; all gates are
RY, which is real, and factors of basis states; CNOTs are never carried out, only remembered.

**Torch's operations** for everything else: GPUs, ``vmap``, second derivatives, weights of their own
for each row. There a simulation costs what its number of torch calls costs, so there are no single
gates. Three ideas, each a few large operations:

1. **Mean of cosines** (angle encoding about X, RX, CNOT: the circuit of the study), ``cosines.py``.
   No state at all.
2. **Fused layers** (everything else). The first layer turns |0...0> into a product state, without a
   matrix. In a later layer all one-qubit gates are a Kronecker product: one matrix product for each
   group of up to five qubits. CNOTs are one permutation, CZs one vector of signs, and before the
   measurement they cost nothing: they go into the table of observables.
3. **Undo instead of remember** (the adjoint method, in both kernels): the backward pass runs the
   circuit backwards from its last state.

In the order of reading: ``plan.py`` (the circuit as fused steps), ``uploads.py`` (how features
enter), ``gates.py`` (one-qubit matrices and their products), ``register.py`` (the steps on a batch
of states), ``measurement.py``, ``fused.py`` (all of it as one function that PyTorch
differentiates), ``arrays.py`` (values and gradients in one call, without autograd). Qubit 0 is the
most significant bit, as in PennyLane.

How exact it is
---------------
Up to 8 qubits everything is done in float64. Above, float32 inputs give a float32 register, but
whatever is small or is a long sum is still done in float64: the gates, the parts of the product
state, and the sum of the probabilities. So the error of an expectation value has a bound that no
order of summation (processor, threads, BLAS) can break. With eps = 2**-24, to first order:

- An amplitude of the product state is one float32 product of two numbers that were rounded once:
  its relative error is at most (1 + 1 + 2 sqrt 2) eps. Behind the first layer that is also the
  error of the whole state in the 2-norm.
- A later layer multiplies each group of m qubits by a matrix that was rounded once; the dot
  products have 2**m complex terms. With ||abs(M)|| <= 2**(m/2) for a product of one-qubit
  unitaries, it adds at most (1 + 2 sqrt 2 * 2**m) 2**(m/2) eps. CNOTs and CZs add nothing.
- An observable with eigenvalues +1 and -1 doubles the error of the state. A probability is the
  float32 sum of two float32 squares: 2 eps more. The result is rounded once: 1 eps.

For one layer on any number of qubits that is (2 (2 + 2 sqrt 2) + 3) eps = 12.7 eps = 7.5e-7; for
two layers on 20 qubits (four groups of five) 4,154 eps = 2.5e-4. In the compiled kernel the product
state is rounded once, and a later layer multiplies each qubit by a matrix of two entries: it adds
less. The second is a worst case:
rounding errors have signs, and what is seen is about 1e-7. (Higham, Accuracy and Stability of
Numerical Algorithms, chapter 3; Higham and Mary, SIAM J. Sci. Comput. 41, 2019, for why sums come
out so much better than their bounds.)

Two float32 routes are worse off, because angles are added up before a cosine is taken: IQP phases
(n (n + 1) / 2 terms) and the mean of cosines (a term for each angle). With t terms theta_k the
error of such a sum is at most t eps sum |theta_k|; the mean of K cosines adds at most K eps, in
practice log2(K) eps, since PyTorch adds in pairs.
"""
