#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
# A machine behind the BMC of pyghmi, as VirtualBMC and sushy have it: an implementation of IPMI that shares nothing with
# FreeIPMI or OpenIPMI. What it is told is printed, one line each.
#
#   pyghmi_bmc.py ADDRESS PORT PASSWORD-FILE [KG]       user "admin"; suite 3 only; starts switched off
"""A BMC for the tests, on pyghmi."""

import sys
import threading

from pyghmi.ipmi import bmc


class Machine(bmc.Bmc):
    """What a BMC controls, in two variables."""

    power = 'off'
    boot_device = 'default'

    def get_power_state(self):
        return self.power

    def set_power(self, state, command):
        """Does what a command wants, and says so."""
        self.power = state
        print(command, flush=True)

    def power_off(self):
        self.set_power('off', 'control 0')

    def power_on(self):
        self.set_power('on', 'control 1')

    def power_cycle(self):
        """An answer of its own: a machine that is off cannot be cycled (IPMI 2.0, 28.3)."""
        if self.power == 'off':
            return 0xd5
        self.set_power('off', 'control 2')
        threading.Timer(1.5, self.come_back).start()
        return 0

    def come_back(self):
        """The second half of a cycle, which no command brings."""
        self.power = 'on'

    def power_reset(self):
        self.set_power(self.power, 'control 3')

    def pulse_diag(self):
        self.set_power(self.power, 'control 4')

    def power_shutdown(self):
        self.set_power('off', 'control 5')

    def get_boot_device(self):
        return self.boot_device

    def set_boot_device(self, bootdevice):
        self.boot_device = bootdevice
        print('boot', bootdevice, flush=True)

    def cold_reset(self):
        sys.exit(0)


def main():
    address, port, password_file = sys.argv[1:4]
    with open(password_file, encoding='utf-8') as file:
        password = file.readline().rstrip('\n')
    machine = Machine({'admin': password}, port=int(port), address=address)
    if len(sys.argv) > 4:
        machine.set_kg(sys.argv[4])
    print('listening', flush=True)
    machine.listen()


main()
