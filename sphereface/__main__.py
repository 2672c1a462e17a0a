"""python -m sphereface"""

from sphereface.cli import main

raise SystemExit(main())
