import threading

import keras_seq
from keras_seq.recurrent.kernel_choice import portable_kernels_asked


def test_the_portable_kernels_hold_inside_the_block_and_in_this_thread():
    seen = []
    assert not portable_kernels_asked()
    with keras_seq.portable_kernels():
        assert portable_kernels_asked()
        with keras_seq.portable_kernels():
            pass
        assert portable_kernels_asked()
        thread = threading.Thread(target=lambda: seen.append(portable_kernels_asked()))
        thread.start()
        thread.join()
    assert not portable_kernels_asked()
    assert seen == [False]


def test_an_error_inside_the_block_ends_it():
    try:
        with keras_seq.portable_kernels():
            raise KeyError
    except KeyError:
        pass
    assert not portable_kernels_asked()
