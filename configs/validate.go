package configs

func (c *Config) problems() Problems { return nil }

// Validate checks every rule; the error is Problems.
func (c *Config) Validate() error {
	if p := c.problems(); len(p) > 0 {
		return p
	}
	return nil
}
