namespace TorBalancer.TorControl.Warm;

/// <summary>How many clean circuits, those under construction included, are to stand ready. Pure.</summary>
internal static class WarmPlanner
{
    /// <summary>
    /// Identities that come while a circuit is built are spread around their mean as a Poisson distribution is: its standard deviation
    /// is the root of the mean, and beyond three of them lie less than one in a hundred.
    /// </summary>
    private const double Deviations = 3;

    /// <summary>Of those that are used in a minute of steady demand no more than a quarter may stand unused.</summary>
    private const int UsedForEachUnused = 4;

    /// <param name="perSecond">Fresh circuits needed a second.</param>
    /// <param name="lastMinute">Of those, how many in the last minute: never more stand ready than were needed lately.</param>
    /// <param name="isSteady">True when demand has lasted for a minute, so that <paramref name="lastMinute"/> is all of a minute.</param>
    /// <param name="buildTime">How long a circuit takes, its spread included.</param>
    /// <param name="most">MaxWarm.</param>
    public static int Target(double perSecond, int lastMinute, bool isSteady, TimeSpan buildTime, int most)
    {
        if (lastMinute == 0 || perSecond <= 0)
            return 0;
        double meanwhile = perSecond * buildTime.TotalSeconds;

        // And one more: two may come at the same moment, however seldom they do.
        int wanted = (int)Math.Min(Math.Ceiling(meanwhile + (Deviations * Math.Sqrt(meanwhile))) + 1, most);
        int allowed = isSteady ? Math.Max(lastMinute / UsedForEachUnused, 1) : lastMinute;
        return Math.Min(wanted, allowed);
    }
}
