package fsa

// Sets that the table uses.
const (
	oops           Set = 1 << LogError
	warn           Set = 1 << LogWarn
	note           Set = 1 << LogInfo
	exit1          Set = 1 << Exit1
	startUp        Set = 1 << StartUp
	cibConnect     Set = 1 << CIBConnect
	clusterConnect Set = 1 << ClusterConnect
	readConfig     Set = 1 << ReadConfig
	lrmConnect     Set = 1 << LRMConnect
	lrmReconnect   Set = 1 << LRMReconnect
	teStart        Set = 1 << TEStart
	peStart        Set = 1 << PEStart
	dcTimerStop    Set = 1 << DCTimerStop
	dcTimerStart   Set = 1 << DCTimerStart
	recovery       Set = 1 << Recover
	joinAccepted   Set = 1 << JoinAccepted
	joinAsk        Set = 1 << JoinAsk
	askShutdown    Set = 1 << AskShutdown
	vote           Set = 1 << Vote
	lrmHandle      Set = 1 << LRMHandle
	started        Set = 1 << Started
	joinQuery      Set = 1 << JoinQuery
	takeover       Set = 1 << DCTakeover
	joinFinal      Set = 1 << JoinFinal
	electionStart  Set = 1 << ElectionStart
	offerAll       Set = 1 << OfferAll
	offerOne       Set = 1 << OfferOne
	takeRequest    Set = 1 << TakeRequest
	takeHistory    Set = 1 << TakeHistory
	finalize       Set = 1 << Finalize
	announce       Set = 1 << Announce
	teHalt         Set = 1 << TEHalt
	teCancel       Set = 1 << TECancel
	peInvoke       Set = 1 << PEInvoke
	teInvoke       Set = 1 << TEInvoke

	dcTimerRestart = dcTimerStop | dcTimerStart
	// release gives up to be DC; leave is the way out of the process.
	release Set = dcTimerStop | 1<<DCRelease | 1<<DCReleased | 1<<PEStop | 1<<TEStop
	leave   Set = 1<<ShutdownBegin | 1<<LRMDisconnect | 1<<ClusterDisconnect | 1<<CIBDisconnect | 1<<StopIPC | 1<<Exit0
	// starting is what a node that leaves does not do any more.
	starting Set = startUp | cibConnect | lrmConnect | clusterConnect | readConfig | started | joinQuery

	nothing Set = 1 << 63 // in the table: unlike the other states, no action
)

// cell is what an input does in one state: the state it leads to, stay for
// none, and the actions due.
type cell struct {
	to State
	do Set
}

// row is what an input does: in the states listed, and in the others.
type row struct {
	other Set
	in    [numStates]cell
}

// table is the state machine (controld_matrix.h).
var table = [numInputs]row{
	CIBOp: {oops, [numStates]cell{}},
	CIBUpdate: {warn, [numStates]cell{
		Starting:         {Recovery, warn},
		Pending:          {Recovery, warn},
		NotDC:            {Recovery, warn},
		Election:         {stay, note},
		PolicyEngine:     {stay, note},
		TransitionEngine: {stay, note},
		Idle:             {stay, note},
	}},
	DCTimeout: {0, [numStates]cell{
		Starting:         {stay, warn},
		Pending:          {Election, vote | warn},
		NotDC:            {Election, vote | warn},
		Election:         {stay, vote},
		Integration:      {Recovery, warn},
		FinalizeJoin:     {Recovery, warn},
		PolicyEngine:     {Recovery, warn},
		TransitionEngine: {Recovery, teCancel | warn},
		Idle:             {Recovery, warn},
		ReleaseDC:        {Recovery, warn},
		Halt:             {Election, warn},
	}},
	Elect: {note, [numStates]cell{
		Starting:         {stay, warn},
		Pending:          {Election, vote},
		NotDC:            {Election, vote},
		Election:         {stay, vote},
		Integration:      {Election, vote},
		FinalizeJoin:     {Election, vote},
		PolicyEngine:     {Election, vote},
		TransitionEngine: {Election, vote},
		Idle:             {Election, vote},
		Halt:             {stay, vote},
	}},
	PECalc: {0, [numStates]cell{
		Starting:         {Recovery, oops},
		Pending:          {stay, warn},
		NotDC:            {stay, warn},
		PolicyEngine:     {stay, peInvoke},
		TransitionEngine: {PolicyEngine, peInvoke},
		Idle:             {PolicyEngine, peInvoke},
		Halt:             {stay, oops},
		Stopping:         {stay, warn},
		Terminate:        {stay, oops},
	}},
	Release: {warn, [numStates]cell{
		Starting:         {Recovery, oops},
		Election:         {ReleaseDC, release},
		Integration:      {ReleaseDC, release | warn},
		FinalizeJoin:     {ReleaseDC, release | warn},
		PolicyEngine:     {ReleaseDC, release | warn},
		TransitionEngine: {ReleaseDC, release | warn},
		Idle:             {ReleaseDC, release},
		ReleaseDC:        {stay, release | warn},
		Recovery:         {stay, release},
	}},
	ElectionDC: {warn, [numStates]cell{
		Starting:         {Recovery, note | warn},
		Pending:          {stay, note | warn},
		NotDC:            {Integration, note | vote},
		Election:         {Integration, note | takeover | peStart | teStart | offerAll | dcTimerStop},
		Integration:      {stay, warn | vote | offerAll},
		FinalizeJoin:     {Integration, warn | vote | offerAll},
		PolicyEngine:     {Integration, warn | vote},
		TransitionEngine: {Integration, warn | vote},
		Idle:             {Integration, warn | vote},
		ReleaseDC:        {stay, warn | vote},
	}},
	Error: {oops | release, [numStates]cell{
		Starting:         {Recovery, oops | recovery},
		Pending:          {Recovery, oops | recovery},
		NotDC:            {Recovery, oops | recovery},
		Election:         {Recovery, oops | recovery | release},
		Integration:      {Recovery, oops | recovery | release | electionStart},
		FinalizeJoin:     {Recovery, oops | recovery | release | electionStart},
		PolicyEngine:     {Recovery, oops | recovery | release | electionStart},
		TransitionEngine: {Recovery, oops | recovery | release | electionStart},
		Idle:             {Recovery, oops | recovery | release | electionStart},
		ReleaseDC:        {Recovery, oops | recovery},
		Halt:             {Recovery, oops | recovery | release | electionStart},
		Stopping:         {Terminate, oops | exit1},
		Terminate:        {stay, oops | exit1},
	}},
	Fail: {warn, [numStates]cell{
		Starting:         {Stopping, warn},
		Pending:          {Stopping, warn},
		NotDC:            {Recovery, warn},
		Election:         {ReleaseDC, warn},
		Integration:      {stay, warn | offerAll},
		FinalizeJoin:     {Integration, warn | offerAll},
		PolicyEngine:     {Integration, warn | offerAll | teCancel},
		TransitionEngine: {PolicyEngine, warn | lrmReconnect | peInvoke | teCancel},
		Idle:             {Recovery, warn},
		Recovery:         {stay, warn | release},
		Halt:             {ReleaseDC, warn},
		Terminate:        {stay, warn | exit1},
	}},
	Integrated: {warn, [numStates]cell{
		Starting:         {Recovery, warn},
		Pending:          {Recovery, warn},
		Integration:      {FinalizeJoin, finalize},
		PolicyEngine:     {stay, nothing},
		TransitionEngine: {stay, nothing},
		Idle:             {stay, nothing},
	}},
	Finalized: {warn, [numStates]cell{
		Starting:         {Recovery, warn},
		Pending:          {Recovery, warn},
		FinalizeJoin:     {PolicyEngine, joinFinal | teCancel},
		PolicyEngine:     {stay, nothing},
		TransitionEngine: {stay, nothing},
		Idle:             {stay, nothing},
	}},
	NodeJoin: {warn, [numStates]cell{
		Starting:         {Recovery, warn},
		Integration:      {stay, offerOne},
		FinalizeJoin:     {Integration, offerOne},
		PolicyEngine:     {Integration, offerOne},
		TransitionEngine: {Integration, teHalt | offerOne},
		Idle:             {Integration, teHalt | offerOne},
	}},
	Joined: {warn, [numStates]cell{
		Starting:         {Recovery, warn},
		Pending:          {NotDC, note | dcTimerStop},
		NotDC:            {stay, note},
		Election:         {stay, oops | electionStart | dcTimerStop},
		Integration:      {Recovery, oops | release},
		FinalizeJoin:     {Recovery, oops | release},
		PolicyEngine:     {Recovery, oops | release},
		TransitionEngine: {Recovery, oops | release},
		Idle:             {Recovery, warn | release},
		ReleaseDC:        {stay, oops | release},
		Recovery:         {stay, oops | release},
	}},
	Recovered: {warn, [numStates]cell{
		Election:     {stay, vote},
		FinalizeJoin: {Integration, warn},
		Recovery:     {Pending, note},
	}},
	ReleaseFail: {warn, [numStates]cell{
		Starting:         {Recovery, warn},
		Election:         {Stopping, warn},
		Integration:      {Stopping, warn},
		FinalizeJoin:     {Stopping, warn},
		PolicyEngine:     {Stopping, nothing},
		TransitionEngine: {Stopping, warn},
		Idle:             {Stopping, warn},
		ReleaseDC:        {Stopping, nothing},
		Recovery:         {Stopping, warn | askShutdown},
	}},
	ReleaseSuccess: {warn, [numStates]cell{
		Starting:         {Recovery, warn},
		Pending:          {stay, note},
		Integration:      {Recovery, warn},
		FinalizeJoin:     {Recovery, warn},
		PolicyEngine:     {Recovery, warn},
		TransitionEngine: {Recovery, warn},
		Idle:             {Recovery, warn},
		ReleaseDC:        {Pending, note},
	}},
	Restart: {note, [numStates]cell{
		Election:         {stay, note | vote},
		Integration:      {stay, note | offerAll},
		FinalizeJoin:     {stay, note | finalize},
		PolicyEngine:     {stay, note | peInvoke},
		TransitionEngine: {stay, note | teInvoke},
		Idle:             {stay, nothing},
		ReleaseDC:        {stay, note | release},
		Recovery:         {stay, note | recovery | release},
		Halt:             {stay, warn},
	}},
	TESuccess: {warn, [numStates]cell{
		Starting:         {Recovery, oops},
		Pending:          {stay, oops},
		NotDC:            {stay, oops},
		TransitionEngine: {Idle, note},
		Idle:             {stay, note},
		Recovery:         {stay, recovery | warn},
	}},
	Router: {0, [numStates]cell{
		Halt: {stay, warn},
	}},
	Shutdown: {note | askShutdown, [numStates]cell{
		Starting:         {Stopping, warn | leave},
		Pending:          {stay, askShutdown},
		NotDC:            {stay, askShutdown},
		Election:         {stay, note | askShutdown | vote},
		TransitionEngine: {PolicyEngine, warn | askShutdown},
		Idle:             {PolicyEngine, note | askShutdown},
		ReleaseDC:        {stay, warn | askShutdown},
		Recovery:         {Stopping, warn | leave | release},
		Halt:             {Election, warn | electionStart | askShutdown},
		Stopping:         {stay, note},
		Terminate:        {stay, note},
	}},
	Stop: {leave, [numStates]cell{
		Starting:         {Stopping, leave},
		Pending:          {Stopping, leave},
		NotDC:            {Stopping, leave},
		Election:         {Stopping, release | leave},
		Integration:      {Stopping, warn | release | leave},
		FinalizeJoin:     {Stopping, oops | release | leave},
		PolicyEngine:     {Stopping, warn | release | leave},
		TransitionEngine: {Stopping, note | release | leave},
		Idle:             {Stopping, oops | release | leave},
		ReleaseDC:        {Stopping, oops | release | leave},
		Recovery:         {Stopping, oops | release | leave},
		Halt:             {Stopping, release | leave | warn},
		Terminate:        {stay, oops | exit1},
	}},
	TerminateNow: {leave, [numStates]cell{
		Starting:         {Terminate, leave},
		Pending:          {Terminate, oops | leave},
		NotDC:            {Terminate, oops | leave},
		Election:         {Terminate, oops | leave},
		Integration:      {Terminate, oops | leave},
		FinalizeJoin:     {Terminate, oops | leave},
		PolicyEngine:     {Terminate, oops | leave},
		TransitionEngine: {Terminate, oops | leave},
		Idle:             {Terminate, oops | leave},
		ReleaseDC:        {Terminate, oops | leave},
		Recovery:         {Terminate, oops | leave},
		Halt:             {Terminate, oops | leave},
		Stopping:         {Terminate, leave},
	}},
	Startup: {warn, [numStates]cell{
		Starting:         {stay, note | startUp | cibConnect | lrmConnect | clusterConnect | readConfig | started},
		Pending:          {stay, note},
		NotDC:            {Recovery, warn},
		Election:         {Recovery, warn},
		Integration:      {Recovery, warn},
		FinalizeJoin:     {Recovery, warn},
		PolicyEngine:     {Recovery, warn},
		TransitionEngine: {Recovery, warn},
		Idle:             {Recovery, warn},
	}},
	PESuccess: {note, [numStates]cell{
		Starting:     {Recovery, oops},
		NotDC:        {stay, nothing},
		Election:     {stay, warn},
		Integration:  {stay, warn},
		FinalizeJoin: {stay, warn},
		PolicyEngine: {TransitionEngine, teInvoke},
		Recovery:     {stay, recovery | note},
		Halt:         {stay, warn},
		Stopping:     {stay, oops},
		Terminate:    {stay, oops},
	}},
	JoinOffer: {note, [numStates]cell{
		Pending:          {stay, joinAsk | dcTimerStop},
		NotDC:            {Pending, joinAsk | dcTimerStop},
		Election:         {stay, warn | vote},
		Integration:      {stay, joinAsk},
		FinalizeJoin:     {stay, joinAsk},
		PolicyEngine:     {stay, warn | joinAsk},
		TransitionEngine: {stay, warn | joinAsk},
		Idle:             {stay, warn | joinAsk},
		ReleaseDC:        {stay, warn | joinAsk | dcTimerStop},
		Recovery:         {stay, warn | joinAsk | dcTimerStop},
		Halt:             {stay, warn},
	}},
	JoinRequest: {warn, [numStates]cell{
		Integration:      {stay, takeRequest},
		FinalizeJoin:     {Integration, offerOne},
		PolicyEngine:     {Integration, offerOne},
		TransitionEngine: {Integration, offerOne},
		Idle:             {Integration, offerOne},
	}},
	JoinResult: {note, [numStates]cell{
		Starting:         {Recovery, oops},
		Pending:          {stay, joinAccepted},
		NotDC:            {Pending, oops | announce},
		Integration:      {stay, note | joinAccepted | takeHistory},
		FinalizeJoin:     {stay, joinAccepted | takeHistory},
		PolicyEngine:     {Integration, oops | teHalt | offerAll},
		TransitionEngine: {Integration, oops | teHalt | offerAll},
		Idle:             {Integration, oops | teHalt | offerAll},
		Halt:             {stay, warn},
		Stopping:         {stay, oops},
		Terminate:        {stay, oops},
	}},
	WaitForEvent: {note, [numStates]cell{
		Halt: {stay, warn},
	}},
	DCHeartbeat: {oops, [numStates]cell{
		Starting:  {stay, note},
		Pending:   {stay, note | announce},
		NotDC:     {stay, nothing},
		Election:  {stay, warn | vote},
		ReleaseDC: {stay, note},
		Recovery:  {stay, nothing},
		Halt:      {stay, warn},
		Stopping:  {stay, nothing},
		Terminate: {stay, nothing},
	}},
	LRMEvent: {lrmHandle, [numStates]cell{
		Halt: {stay, warn},
	}},
	BePending: {warn, [numStates]cell{
		Starting:         {Pending, note | dcTimerStart | joinQuery},
		Pending:          {stay, note | dcTimerRestart},
		NotDC:            {Pending, note | dcTimerRestart},
		Election:         {Pending, release | dcTimerRestart},
		Integration:      {Pending, release | dcTimerRestart},
		FinalizeJoin:     {Pending, release | dcTimerRestart},
		PolicyEngine:     {Pending, release | dcTimerRestart},
		TransitionEngine: {Pending, release | dcTimerRestart},
		Idle:             {Pending, release | dcTimerRestart},
		ReleaseDC:        {stay, warn | dcTimerRestart},
	}},
	HaltNow: {warn, [numStates]cell{
		Pending:          {Halt, warn},
		NotDC:            {Halt, warn},
		Election:         {Halt, warn},
		Integration:      {Halt, warn},
		FinalizeJoin:     {Halt, warn},
		PolicyEngine:     {Halt, warn},
		TransitionEngine: {Halt, warn},
		Idle:             {Halt, warn},
	}},
}
