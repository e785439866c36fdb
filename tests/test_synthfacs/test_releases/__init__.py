# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
